-- Put a document in another one's place, if that is still there.
-- KEYS: documents by id (a hash). ARGV: the id; whether there was one, and it; whether there is to be one, and it.
-- Answers 1 if it was there, else 0.
local found = redis.call('HGET', KEYS[1], ARGV[1])
if (ARGV[2] == '1') ~= (found ~= false) or (found and found ~= ARGV[3]) then
  return 0
end
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[5])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
