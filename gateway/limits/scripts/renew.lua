-- Renew leases, also of slots that Redis has lost. KEYS: the slots (sorted set). ARGV: ms of a lease, the holders.

local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], ends, ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 0
