-- Note one try to tell somebody, for as long as the record is kept. KEYS: the record (hash), its tries (list).
-- ARGV: the try, how many are kept, 1 if the record's end is heard now.

local left = redis.call('PTTL', KEYS[1])
if left > 0 then
  redis.call('RPUSH', KEYS[2], ARGV[1])
  redis.call('LTRIM', KEYS[2], -ARGV[2], -1)
  redis.call('PEXPIRE', KEYS[2], left)
  if ARGV[3] == '1' then
    redis.call('HSET', KEYS[1], 'heard', 1)
  end
end
return 0
