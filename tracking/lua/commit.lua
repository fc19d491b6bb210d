-- Move live positions forward and append a batch to the log of a region, as one: readers see both or neither.
--
-- KEYS  1 log, 2 appended, 3 settled, 4 live, 5 suspects, 6 contacts, 7.. geo index by mode (car, motorcycle, bicycle, foot)
-- ARGV  1 most fixes the log may hold unread, 2 fixes in this batch, 3 packed fixes, 4 packed quarantine,
--       5 jump speed m/s, 6 jump slack m, 7 oldest fix time us to index, 8 traces or nothing, 9 length of what comes next: per courier heard of,
--       id and contact in ms; then per candidate: courier id, its row in the batch, its live record (tracking/live.py); oldest first per courier
-- Returns -1 when the log is full (nothing was changed), else the entry's id, or 0 where nothing was to be appended.
local bound, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local appended = tonumber(redis.call('GET', KEYS[2]) or '0')
local settled = tonumber(redis.call('GET', KEYS[3]) or '0')
if appended - settled >= bound then
    return -1
end

local speed_mps, slack_m = tonumber(ARGV[5]), tonumber(ARGV[6])
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

local oldest_us = tonumber(ARGV[7])
local last_contact = 9 + tonumber(ARGV[9])
for i = 10, last_contact, 1000 do -- Lua's stack bears some thousand at once
    redis.call('HSET', KEYS[6], unpack(ARGV, i, math.min(i + 999, last_contact)))
end

local moved = {}
for i = last_contact + 1, #ARGV, 3 do
    local id, record = ARGV[i], ARGV[i + 2]
    local stored = redis.call('HGET', KEYS[4], id)
    local new, live = read(record), stored and read(stored)
    if not live or new.fixed_us > live.fixed_us then
        local believed = not live or reachable(live, new)
        if not believed then
            -- A jump; a second fix near the first one's place shows that the courier is really there.
            local held = redis.call('HGET', KEYS[5], id)
            local suspect = held and read(held)
            if suspect and new.fixed_us > suspect.fixed_us and reachable(suspect, new) then
                believed = true
            elseif not suspect or new.fixed_us > suspect.fixed_us then
                redis.call('HSET', KEYS[5], id, record)
            end
        end
        if believed then
            redis.call('HDEL', KEYS[5], id)
            redis.call('HSET', KEYS[4], id, record)
            if live and live.mode ~= new.mode then
                redis.call('ZREM', KEYS[6 + live.mode], id)
            end
            -- Redis knows no places nearer to the poles, and what nobody asks for is not indexed.
            if math.abs(new.lat) <= 85.05 and new.fixed_us >= oldest_us then
                redis.call('GEOADD', KEYS[6 + new.mode], new.lon, new.lat, id)
            else
                redis.call('ZREM', KEYS[6 + new.mode], id)
            end
            moved[#moved + 1] = struct.pack('<i4', tonumber(ARGV[i + 1]))
        end
    end
end

if n == 0 and ARGV[4] == '' then
    return 0
end
redis.call('SET', KEYS[2], string.format('%.0f', appended + n))
local entry = {
    'n', ARGV[2], 'total', string.format('%.0f', appended + n), 'fixes', ARGV[3], 'quarantine', ARGV[4],
    'moved', table.concat(moved),
}
if ARGV[8] ~= '' then
    entry[11], entry[12] = 'trace', ARGV[8]
end
return redis.call('XADD', KEYS[1], '*', unpack(entry))
