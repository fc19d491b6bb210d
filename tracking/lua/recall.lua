-- What is remembered, or a ticket to remember it with: a random word that holds until the key is deleted.
--
-- KEYS  1 hash
-- ARGV  1 a new ticket, 2 milliseconds that the key lives from now on, where it is new
-- Returns the body or false, and the ticket or false.
local body = redis.call('HGET', KEYS[1], 'body')
if body then
    return {body, false}
end
if redis.call('HSETNX', KEYS[1], 'ticket', ARGV[1]) == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return {false, redis.call('HGET', KEYS[1], 'ticket')}
