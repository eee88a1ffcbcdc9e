-- Take one of so many slots, unless a key that waits elsewhere had its last turn longer ago than this one.
--
-- KEYS: the slots (as in hold.lua), the turns (sorted set of keys by the µs of their last turn), who waits (hash: of each
-- replica, until when that counts and the key that is next there).
-- ARGV: the holder, how many slots there are, ms of a lease, its key, its replica, ms that who waits counts without
-- asking again, ms that turns are remembered, and of how many keys.
-- Answers 1 if it has one, or had one already; with 0 it waits.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, replica = ARGV[4], ARGV[5]
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  local free = ARGV[2] - redis.call('ZCARD', KEYS[1])
  local last = tonumber(redis.call('ZSCORE', KEYS[2], key) or 0)
  local waiting = free > 0 and redis.call('HGETALL', KEYS[3]) or {}
  for i = 1, #waiting, 2 do
    local ends, other = waiting[i + 1]:match('^(%d+) (.*)$')
    if waiting[i] ~= replica and tonumber(ends) > now then
      if tonumber(redis.call('ZSCORE', KEYS[2], other) or 0) < last then
        free = free - 1
      end
    end
  end
  if free <= 0 then
    redis.call('HSET', KEYS[3], replica, string.format('%d %s', now + ARGV[6], key))
    redis.call('PEXPIRE', KEYS[3], ARGV[6])
    return 0
  end
  redis.call('HDEL', KEYS[3], replica)
  redis.call('ZADD', KEYS[2], time[1] * 1000000 + time[2], key)
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[8])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
