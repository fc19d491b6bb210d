-- Put a dead letter back at the end of the log, as one: it is in either, never in both.
--
-- KEYS  1 dead letters, 2 log, 3 appended
-- ARGV  1 the letter's id
-- Returns 1, or 0 when there is no such letter (any more). Live state stays: the letter moves nobody.
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then
    return 0
end
local held = {}
for i = 1, #letter[2], 2 do
    held[letter[2][i]] = letter[2][i + 1]
end
local n = tonumber(held['n'] or '0') or 0
local appended = tonumber(redis.call('GET', KEYS[3]) or '0') + n
redis.call('SET', KEYS[3], string.format('%.0f', appended))
redis.call(
    'XADD', KEYS[2], '*',
    'n', string.format('%.0f', n), 'total', string.format('%.0f', appended),
    'fixes', held['fixes'] or '', 'quarantine', held['quarantine'] or '', 'moved', ''
)
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
