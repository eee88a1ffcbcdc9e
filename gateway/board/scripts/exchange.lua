-- Tell what a replica knows, and learn what all do whose words still count.
--
-- KEYS: what each replica told (hash): until when that counts, 13 digits of unix ms, and its words.
-- ARGV: the replica, its words, ms that they count. Answers {replica, words, replica, words ...}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%013d', now + ARGV[3]) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local told, count = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #told, 2 do
  if tonumber(told[i + 1]:sub(1, 13)) > now then
    count[#count + 1] = told[i]
    count[#count + 1] = told[i + 1]:sub(14)
  else
    redis.call('HDEL', KEYS[1], told[i])
  end
end
return count
