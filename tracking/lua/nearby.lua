-- The fresh couriers nearest to a place. Looks in a small circle first and widens it, so that a dense city costs no more
-- than a sparse one; where there are few couriers it looks once, for six circles cost more. Stale couriers are passed
-- over, not counted.
--
-- KEYS  1 live, 2 contacts, 3.. geo indices to look in
-- ARGV  1 lon, 2 lat, 3 radius m, 4 limit, 5 oldest fix time us, 6 radius m to begin with,
--       7 most couriers of one index to look at: Redis serves nobody else meanwhile,
--       8 so many couriers are few
-- Returns a list of {courier id, distance m, live record, contact ms or false}, nearest first.
local radius_m, limit, oldest_us = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local most = tonumber(ARGV[7])
local circle_m = math.min(radius_m, tonumber(ARGV[6]))
local n_couriers = 0
for i = 3, #KEYS do
    n_couriers = n_couriers + redis.call('ZCARD', KEYS[i])
end
if n_couriers <= tonumber(ARGV[8]) then
    circle_m = radius_m
end

-- The first `limit` fresh ones of one index inside the circle.
local function search(key)
    local count = math.min(limit * 2, most)
    while true do
        local hits = redis.call(
            'GEOSEARCH', key, 'FROMLONLAT', ARGV[1], ARGV[2], 'BYRADIUS', circle_m, 'm', 'ASC', 'COUNT', count, 'WITHDIST'
        )
        local fresh = {}
        for _, hit in ipairs(hits) do
            local record = redis.call('HGET', KEYS[1], hit[1])
            if record and struct.unpack('>d', record) >= oldest_us then
                fresh[#fresh + 1] = {hit[1], hit[2], record}
                if #fresh == limit then
                    return fresh
                end
            end
        end
        if #hits < count or count >= most then
            return fresh
        end
        count = math.min(count * 4, most)
    end
end

local found
while true do
    found = {}
    for i = 3, #KEYS do
        for _, hit in ipairs(search(KEYS[i])) do
            found[#found + 1] = hit
        end
    end
    if #found >= limit or circle_m >= radius_m then
        break
    end
    circle_m = math.min(radius_m, circle_m * 2)
end
table.sort(found, function(a, b) return tonumber(a[2]) < tonumber(b[2]) end)
local answer = {}
for i = 1, math.min(limit, #found) do
    local hit = found[i]
    answer[i] = {hit[1], hit[2], hit[3], redis.call('HGET', KEYS[2], hit[1])}
end
return answer
