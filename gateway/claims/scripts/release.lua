-- Give a key back. KEYS: the claim (hash). ARGV: the generation that has it, or else nothing happens.
-- Answers 1 where it had it.
if redis.call('HGET', KEYS[1], 'generation') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
