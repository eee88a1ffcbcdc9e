-- Let the index know a claim, so that whoever lets go of answers finds it. KEYS: until (sorted set), facts (hash).
-- ARGV: the entry's key, when to forget it in ms, what else is to be known (JSON that begins with its bytes, 0).

if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3]) == 1 then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
return 0
