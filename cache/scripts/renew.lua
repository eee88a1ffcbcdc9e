-- Have a claim last. KEYS: the entry (hash). ARGV: the run that has it and has not answered, ms that a claim lasts.

local held = redis.call('HMGET', KEYS[1], 'generation', 'answer')
if held[1] == ARGV[1] and not held[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
