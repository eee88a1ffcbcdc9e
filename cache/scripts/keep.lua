-- Put an answer in place of its run's claim, and of the answer before. KEYS: the entry (hash). ARGV: the run, the answer,
-- ms to keep it. Answers 1, or 0 when another run has the claim, or none.

if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], 'run', 'run_since', 'run_until')
redis.call('HSET', KEYS[1], 'answer', ARGV[2], 'by', ARGV[1], 'since', now, 'until', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
