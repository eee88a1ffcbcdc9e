-- Go on attending to records for so long, or for 0 ms: let them go. KEYS: as in attend.lua.
-- ARGV: the attendant, ms, and the records. Answers those of them that it attends to.

local time = redis.call('TIME')
local lapses, own = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2], {}
for i = 3, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[1] then
    redis.call('ZADD', KEYS[1], lapses, ARGV[i])
    own[#own + 1] = ARGV[i]
  end
end
return own
