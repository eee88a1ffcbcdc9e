-- Give back to a bucket, or take into debt. KEYS: the bucket (hash), or else nothing happens.
-- ARGV: how much (less than 0: is taken), ms that a full bucket is remembered.

local held = redis.call('HMGET', KEYS[1], 'minute', 'used', 'at')
if held[1] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local used = math.max(0, held[2] - math.max(0, now - held[3]) * held[1] / 60000)
  used = math.max(0, used - ARGV[1])
  redis.call('HSET', KEYS[1], 'used', string.format('%.17g', used), 'at', now)
  redis.call('PEXPIRE', KEYS[1], math.ceil(used * 60000 / held[1]) + ARGV[2])
end
return 0
