-- Count one request in each of several counters, unless one of them would pass its limit: then in none.
--
-- KEYS  counters
-- ARGV  per counter: by how much, its limit, seconds it is kept
-- Returns 1, or 0 when a limit would be passed.
for i, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') + tonumber(ARGV[3 * i - 2]) > tonumber(ARGV[3 * i - 1]) then
        return 0
    end
end
for i, key in ipairs(KEYS) do
    redis.call('INCRBY', key, ARGV[3 * i - 2])
    redis.call('EXPIRE', key, ARGV[3 * i])
end
return 1
