-- Put last known positions back into a Redis that lost them; what is newer there stays.
--
-- KEYS  1 live, 2 contacts, 3.. geo index by mode
-- ARGV  1 oldest fix time us to index, then per courier: id, live record, contact ms
-- Returns how many were put back.
local n = 0
local oldest_us = tonumber(ARGV[1])
for i = 2, #ARGV, 3 do
    local id, record = ARGV[i], ARGV[i + 1]
    local fixed_us, _, lat_e7, lon_e7, _, mode = struct.unpack('>ddi4i4i4B', record)
    local stored = redis.call('HGET', KEYS[1], id)
    if not stored or struct.unpack('>d', stored) < fixed_us then
        redis.call('HSET', KEYS[1], id, record)
        for key = 3, #KEYS do
            redis.call('ZREM', KEYS[key], id)
        end
        if fixed_us >= oldest_us and math.abs(lat_e7) <= 850500000 then
            redis.call('GEOADD', KEYS[2 + mode], lon_e7 / 1e7, lat_e7 / 1e7, id)
        end
        n = n + 1
    end
    redis.call('HSETNX', KEYS[2], id, ARGV[i + 2])
end
return n
