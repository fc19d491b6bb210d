-- Take couriers that have been silent for long out of the geo index, so that `nearby` does not walk over them.
-- They come back with their next fix.
--
-- KEYS  1 live, 2.. geo indices
-- ARGV  1 oldest fix time us to keep, then courier ids to look at
-- Returns how many were taken out.
local oldest_us, n = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
    local record = redis.call('HGET', KEYS[1], ARGV[i])
    if not record or struct.unpack('>d', record) < oldest_us then
        for key = 2, #KEYS do
            n = n + redis.call('ZREM', KEYS[key], ARGV[i])
        end
    end
end
return n
