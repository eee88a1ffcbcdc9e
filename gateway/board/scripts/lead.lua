-- Take a lease, or keep it. KEYS: the lease (string: its holder). ARGV: the holder, ms of a lease.
-- Answers 1 if it is this holder's now.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
