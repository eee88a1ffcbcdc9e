-- Let the index know answers no more. KEYS: used, until (sorted sets), facts (hash), bytes. ARGV: the entries' keys.
-- Answers the bytes that are left.

for _, key in ipairs(ARGV) do
  local before = redis.call('HGET', KEYS[3], key)
  if before then
    redis.call('DECRBY', KEYS[4], string.match(before, '%d+'))
    redis.call('HDEL', KEYS[3], key)
  end
  redis.call('ZREM', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
end
return redis.call('GET', KEYS[4]) or '0'
