-- What the other scripts begin with: reservations that nobody renewed are given back before anything is decided.
--
-- KEYS of each: 1 reserved (hash: period -> nanos), 2 held (hash: run -> what it holds, as JSON), 3 lapses (sorted set:
-- runs that have something reserved, by ms), 4 lapsed (sorted set: runs that had, by the ms they are forgotten at).

local REMEMBERED = 2 * 86400 * 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function held(run)
  return cjson.decode(redis.call('HGET', KEYS[2], run))
end

local function give_back(run)
  if redis.call('ZREM', KEYS[3], run) == 1 then
    local hold = held(run)
    -- Of nothing, a minus sign before it would make -0, which is no integer to Redis.
    if redis.call('HINCRBY', KEYS[1], hold.name, 0 - hold.amount) == 0 then
      redis.call('HDEL', KEYS[1], hold.name)
    end
  end
end

for _, run in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
  give_back(run)
  redis.call('ZADD', KEYS[4], now + REMEMBERED, run)
end
for _, run in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)) do
  redis.call('ZREM', KEYS[4], run)
  redis.call('HDEL', KEYS[2], run)
end
