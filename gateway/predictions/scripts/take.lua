-- Become the attendant of records whose lease has lapsed. KEYS: as in attend.lua.
-- ARGV: the attendant, ms of a lease, how many at most. Answers which.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
for _, id in ipairs(taken) do
  redis.call('HSET', KEYS[2], id, ARGV[1])
  redis.call('ZADD', KEYS[1], now + ARGV[2], id)
end
return taken
