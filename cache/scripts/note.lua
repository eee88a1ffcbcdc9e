-- Note an answer in the index. KEYS: used, until (sorted sets), facts (hash), bytes.
-- ARGV: the entry's key, now in ms, until when in ms, its bytes, what else is to be known (JSON that begins with its bytes).

local before = redis.call('HGET', KEYS[3], ARGV[1])
if before then
  redis.call('DECRBY', KEYS[4], string.match(before, '%d+'))
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[5])
redis.call('INCRBY', KEYS[4], ARGV[4])
return 0
