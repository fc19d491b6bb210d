-- Put a dead letter back at the end of the log, as one: it is in either, never in both.
--
-- KEYS  1 layout of the log, 2 dead letters, then per part of the log that takes some of it: log, appended
-- ARGV  1 the layout these keys go by, 2 the letter's id, then for each of those parts: n, fixes, quarantine
-- Returns 1, or 0 when there is no such letter (any more), or the layout in a list when it is another one. Live state
-- stays: the letter moves nobody.
local layout = redis.call('GET', KEYS[1]) or ''
if layout ~= ARGV[1] then
    return {layout}
end
if redis.call('XDEL', KEYS[2], ARGV[2]) == 0 then
    return 0
end
for i = 3, #KEYS, 2 do
    local first = 3 + 3 * (i - 3) / 2
    local n = tonumber(ARGV[first]) or 0
    local total = string.format('%.0f', tonumber(redis.call('GET', KEYS[i + 1]) or '0') + n)
    redis.call('SET', KEYS[i + 1], total)
    redis.call(
        'XADD', KEYS[i], '*', 'n', string.format('%.0f', n), 'total', total,
        'fixes', ARGV[first + 1], 'quarantine', ARGV[first + 2], 'moved', ''
    )
end
return 1
