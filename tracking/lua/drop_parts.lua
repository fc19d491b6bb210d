-- Let go of the parts that the log of a region had before, once all that was in them is read and trimmed.
--
-- KEYS  1 layout, then the old logs, then their counters
-- ARGV  1 layout as it is known, 2 the new one or nothing: the usual one, 3 how many old logs
-- Returns 1, or 0 when something is left in them, or the layout is another one by now.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
for i = 2, 1 + tonumber(ARGV[3]) do
    if redis.call('XLEN', KEYS[i]) > 0 then
        return 0
    end
end
for i = 2, #KEYS do
    redis.call('DEL', KEYS[i])
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[2])
end
return 1
