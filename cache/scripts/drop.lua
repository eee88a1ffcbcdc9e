-- Let go of an answer; a claim stays. KEYS: the entry (hash). Answers how many there were.

if redis.call('HEXISTS', KEYS[1], 'answer') == 1 then
  return redis.call('DEL', KEYS[1])
end
return 0
