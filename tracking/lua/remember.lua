-- Remember what was read, unless the key was deleted since the ticket was given: then it may be old.
--
-- KEYS  1 hash
-- ARGV  1 the ticket, 2 the body
-- Returns whether it is remembered. How long the key lives stays as it is.
if redis.call('HGET', KEYS[1], 'ticket') ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'body', ARGV[2])
return 1
