-- Give the log of a region another number of parts. From now on nothing is appended to those it has (lua/commit.lua).
--
-- KEYS  1 layout, then per part it has: log, appended; then per new part: log, appended, settled
-- ARGV  1 layout as it is known, 2 the new one, 3 how many parts it has
-- Returns 1, or 0 when the layout is another one by now.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
local last_old = 1 + 2 * tonumber(ARGV[3])
local groups = {}
for i = 2, last_old, 2 do
    if redis.call('EXISTS', KEYS[i]) == 1 then
        for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[i])) do
            groups[flat[2]] = true
        end
    end
    -- The last entry: who reads without a group learns from it what follows.
    redis.call(
        'XADD', KEYS[i], '*', 'n', '0', 'total', redis.call('GET', KEYS[i + 1]) or '0',
        'fixes', '', 'quarantine', '', 'moved', '', 'parted', ARGV[2]
    )
end
for i = last_old + 1, #KEYS, 3 do
    -- One that was stopped for long may have left an empty stream behind.
    redis.call('DEL', KEYS[i], KEYS[i + 1], KEYS[i + 2])
    for group in pairs(groups) do
        redis.call('XGROUP', 'CREATE', KEYS[i], group, '0', 'MKSTREAM')
    end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
