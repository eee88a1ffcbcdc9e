-- Give back to a bucket what was taken and not used, or take what was used beyond that. The arithmetic is that of bucket.py.
--
-- KEYS: the bucket (hash), or else nothing happens; the mark of this one settlement, so that it counts once.
-- ARGV: what was taken, what was used of it, the minutes that the largest debt flows back in, ms that a full bucket is
-- remembered, ms that the mark is.

local held = redis.call('HMGET', KEYS[1], 'minute', 'used', 'at')
if held[1] and redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[5]) then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local most = held[1] * ARGV[3]
  local used = math.max(0, math.min(most, held[2]) - math.max(0, now - held[3]) * held[1] / 60000)
  used = math.min(most, math.max(0, used - math.min(most, ARGV[1]) + ARGV[2]))
  redis.call('HSET', KEYS[1], 'used', string.format('%.17g', used), 'at', now)
  redis.call('PEXPIRE', KEYS[1], math.ceil(used * 60000 / held[1]) + ARGV[4])
end
return 0
