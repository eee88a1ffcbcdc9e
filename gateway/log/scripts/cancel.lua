-- Note on a running log that somebody wants it stopped. KEYS: meta (hash). Answers the fence of its writer, or nothing.
local held = redis.call('HMGET', KEYS[1], 'fence', 'ended')
if held[1] and not held[2] then
  redis.call('HSET', KEYS[1], 'cancel', '1')
  return held[1]
end
return false
