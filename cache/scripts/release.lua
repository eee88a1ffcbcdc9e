-- Take a claim back. KEYS: the entry (hash). ARGV: the run that has it, or else nothing happens.
-- Answers 1 when nothing is left of the entry.

if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], 'run', 'run_since', 'run_until')
return 1 - redis.call('EXISTS', KEYS[1])
