-- Take as much from each of several buckets, or from none of them. The arithmetic is that of bucket.py.
--
-- KEYS: the buckets (hashes). ARGV: how much, the minutes that the largest debt flows back in, ms that a full bucket is
-- remembered, then what each gives in a minute.
-- Answers for each {used, ms until it would fit}, both as text; where all are 0 it was taken, and is in `used`.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cost = tonumber(ARGV[1])
local used, waits, fits = {}, {}, true

for i, bucket in ipairs(KEYS) do
  local minute = tonumber(ARGV[3 + i])
  local held = redis.call('HMGET', bucket, 'used', 'at')
  local before = math.min(minute * ARGV[2], held[1] or 0)
  used[i] = math.max(0, before - math.max(0, now - (held[2] or now)) * minute / 60000)
  local lacks = used[i] + math.min(cost, minute) - minute
  waits[i] = lacks > 1e-6 and lacks * 60000 / minute or 0
  fits = fits and waits[i] == 0
end

local answers = {}
for i, bucket in ipairs(KEYS) do
  if fits then
    local minute = tonumber(ARGV[3 + i])
    used[i] = math.min(minute * ARGV[2], used[i] + cost)
    redis.call('HSET', bucket, 'minute', ARGV[3 + i], 'used', string.format('%.17g', used[i]), 'at', now)
    redis.call('PEXPIRE', bucket, math.ceil(used[i] * 60000 / minute) + ARGV[3])
  end
  answers[i] = {string.format('%.17g', used[i]), string.format('%.17g', waits[i])}
end
return answers
