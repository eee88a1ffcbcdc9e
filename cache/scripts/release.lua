-- Take a claim back. KEYS: the entry (hash). ARGV: the run that has it and has not answered, or else nothing happens.

local held = redis.call('HMGET', KEYS[1], 'generation', 'answer')
if held[1] == ARGV[1] and not held[2] then
  redis.call('DEL', KEYS[1])
end
return 0
