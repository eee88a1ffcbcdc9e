-- Give a key back. KEYS: the claim (hash). ARGV: the generation that has it, or else nothing happens.
if redis.call('HGET', KEYS[1], 'generation') == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 0
