-- Write fields of a hash, and take others out, unless somebody with a newer token has written there.
--
-- KEYS  1 hash, 2 the newest token seen
-- ARGV  1 token, 2 seconds the token is remembered, 3 seconds the hash lives without being written, 4 how many fields are
--       written; then each field and its value; then the fields to take out
-- Returns 1, or 0 when the token is older and nothing was written.
local token = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[2]) or '0') > token then
    return 0
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
local last = 4 + 2 * tonumber(ARGV[4])
for i = 5, last, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
for i = last + 1, #ARGV do
    redis.call('HDEL', KEYS[1], ARGV[i])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
