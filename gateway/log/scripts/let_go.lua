-- Give up the lease of a log, for whoever takes it next. KEYS: meta (hash). ARGV: the fence of the one who has it.
if redis.call('HGET', KEYS[1], 'fence') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'lease', 0)
  return 1
end
return 0
