-- Remove from the log what every group has acknowledged, and note how far that is.
--
-- KEYS  1 log, 2 settled
-- ARGV  1 id before which acknowledged entries may go (newer ones stay for readers without a group)
-- Returns the number of entries removed. Without a group nothing is removed: nobody has read anything yet.
if redis.call('EXISTS', KEYS[1]) == 0 then
    return 0
end

local function parts(id)
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    return tonumber(ms), tonumber(seq)
end
local function is_before(a, b)
    local a_ms, a_seq = parts(a)
    local b_ms, b_seq = parts(b)
    return a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq)
end

local open -- the first id that some group has not acknowledged
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = {}
    for i = 1, #flat, 2 do
        group[flat[i]] = flat[i + 1]
    end
    local first
    if group['pending'] > 0 then
        first = redis.call('XPENDING', KEYS[1], group['name'])[2]
    else
        local ms, seq = string.match(group['last-delivered-id'], '^(%d+)-(%d+)$')
        -- A restored copy may have a place just before a whole millisecond, and there is no number after that.
        first = seq == '18446744073709551615' and string.format('%.0f-0', tonumber(ms) + 1)
            or ms .. '-' .. string.format('%.0f', tonumber(seq) + 1)
    end
    if not open or is_before(first, open) then
        open = first
    end
end
if not open then
    return 0
end

local last = redis.call('XREVRANGE', KEYS[1], '(' .. open, '-', 'COUNT', 1)[1]
if last then
    for i = 1, #last[2], 2 do
        if last[2][i] == 'total' then
            redis.call('SET', KEYS[2], last[2][i + 1])
        end
    end
end
local floor = is_before(open, ARGV[1]) and open or ARGV[1]
return redis.call('XTRIM', KEYS[1], 'MINID', floor)
