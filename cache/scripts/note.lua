-- Note an answer in the index, where its claim stands. KEYS: used, until (sorted sets), facts (hash), bytes.
-- ARGV: the entry's key, now in ms, until when in ms, its bytes.

local before = redis.call('HGET', KEYS[3], ARGV[1])
if not before then
  return 0
end
redis.call('INCRBY', KEYS[4], ARGV[4] - string.match(before, '%d+'))
redis.call('HSET', KEYS[3], ARGV[1], (string.gsub(before, '%d+', ARGV[4], 1)))
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return 0
