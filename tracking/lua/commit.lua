-- Move live positions forward and append a batch to the log of a region, as one: readers see both or neither.
--
-- KEYS  1 layout of the log, 2 live, 3 suspects, 4 contacts, 5 to 8 geo index by mode (car, motorcycle, bicycle, foot);
--       then per part of the log: log, appended, settled; then per part that is only read any more: appended, settled
-- ARGV  1 most fixes the log may hold unread, 2 the layout these keys go by, 3 how many parts of the log,
--       4 jump speed m/s, 5 jump slack m, 6 oldest fix time us to index, 7 traces or nothing, 8 length of what comes next: per
--       courier heard of, id and contact in ms; then per entry, at most one for each part: which part (from 0), fixes in it, packed fixes,
--       packed quarantine, how many candidates, and per candidate: courier id, its row in the entry, its live record
--       (tracking/live.py); oldest first per courier
-- Returns -1 when the log is full, the layout in a list when it is another one (nothing was changed in both cases), else
-- the id of the last entry, or 0 where nothing was to be appended.
local n_parts = tonumber(ARGV[3])
local counted = {KEYS[1]}
for i = 9, 8 + 3 * n_parts, 3 do
    counted[#counted + 1] = KEYS[i + 1]
    counted[#counted + 1] = KEYS[i + 2]
end
for i = 9 + 3 * n_parts, #KEYS do
    counted[#counted + 1] = KEYS[i]
end
counted = redis.call('MGET', unpack(counted))
local layout = counted[1] or ''
if layout ~= ARGV[2] then
    return {layout}
end
local unread = 0
for i = 2, #counted, 2 do
    unread = unread + tonumber(counted[i] or '0') - tonumber(counted[i + 1] or '0')
end
if unread >= tonumber(ARGV[1]) then
    return -1
end

local speed_mps, slack_m = tonumber(ARGV[4]), tonumber(ARGV[5])
local RADIUS_M = 6371008.8
local HEAD = '>ddi4i4i4B' -- fix time us, receipt us, lat e7, lon e7, accuracy dm or -1, mode

local function read(record)
    local fixed_us, _, lat_e7, lon_e7, accuracy_dm, mode = struct.unpack(HEAD, record)
    return {fixed_us = fixed_us, lat = lat_e7 / 1e7, lon = lon_e7 / 1e7, slack_m = math.max(accuracy_dm, 0) / 10, mode = mode}
end

-- tracking.quality.jump_marks asks the same of two neighbours.
local function reachable(from, to)
    local phi_a, phi_b = math.rad(from.lat), math.rad(to.lat)
    local h = math.sin((phi_b - phi_a) / 2) ^ 2
        + math.cos(phi_a) * math.cos(phi_b) * math.sin(math.rad(to.lon - from.lon) / 2) ^ 2
    local distance_m = 2 * RADIUS_M * math.asin(math.min(1, math.sqrt(h)))
    local gap_s = (to.fixed_us - from.fixed_us) / 1e6
    return distance_m <= speed_mps * gap_s + slack_m + from.slack_m + to.slack_m
end

local oldest_us = tonumber(ARGV[6])
local last_contact = 8 + tonumber(ARGV[8])
for i = 9, last_contact, 1000 do -- Lua's stack bears some thousand at once
    redis.call('HSET', KEYS[4], unpack(ARGV, i, math.min(i + 999, last_contact)))
end

-- Whether a candidate moved live state.
local function moves(id, record)
    local stored = redis.call('HGET', KEYS[2], id)
    local new, live = read(record), stored and read(stored)
    if live and new.fixed_us <= live.fixed_us then
        return false
    end
    if live and not reachable(live, new) then
        -- A jump; a second fix near the first one's place shows that the courier is really there.
        local held = redis.call('HGET', KEYS[3], id)
        local suspect = held and read(held)
        if suspect and new.fixed_us <= suspect.fixed_us then
            return false
        end
        if not suspect or not reachable(suspect, new) then
            redis.call('HSET', KEYS[3], id, record)
            return false
        end
    end
    redis.call('HDEL', KEYS[3], id)
    redis.call('HSET', KEYS[2], id, record)
    if live and live.mode ~= new.mode then
        redis.call('ZREM', KEYS[4 + live.mode], id)
    end
    -- Redis knows no places nearer to the poles, and what nobody asks for is not indexed.
    if math.abs(new.lat) <= 85.05 and new.fixed_us >= oldest_us then
        redis.call('GEOADD', KEYS[4 + new.mode], new.lon, new.lat, id)
    else
        redis.call('ZREM', KEYS[4 + new.mode], id)
    end
    return true
end

local last_id, at = 0, last_contact + 1
while at <= #ARGV do
    local part, n, last = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), at + 4 + 3 * tonumber(ARGV[at + 4])
    local moved = {}
    for i = at + 5, last, 3 do
        if moves(ARGV[i], ARGV[i + 2]) then
            moved[#moved + 1] = struct.pack('<i4', tonumber(ARGV[i + 1]))
        end
    end
    if n > 0 or ARGV[at + 3] ~= '' then
        local total = string.format('%.0f', tonumber(counted[2 + 2 * part] or '0') + n)
        redis.call('SET', KEYS[10 + 3 * part], total)
        local entry = {
            'n', ARGV[at + 1], 'total', total, 'fixes', ARGV[at + 2], 'quarantine', ARGV[at + 3],
            'moved', table.concat(moved),
        }
        if ARGV[7] ~= '' then
            entry[11], entry[12] = 'trace', ARGV[7]
        end
        last_id = redis.call('XADD', KEYS[9 + 3 * part], '*', unpack(entry))
    end
    at = last + 1
end
return last_id
