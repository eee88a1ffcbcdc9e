-- Have a claim last. KEYS: the entry (hash). ARGV: the run that has it, or else nothing happens; ms that a claim lasts.

if redis.call('HGET', KEYS[1], 'run') == ARGV[1] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'run_until', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return 0
