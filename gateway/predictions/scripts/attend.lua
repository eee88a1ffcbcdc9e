-- Give a record an attendant, if it has none.
--
-- KEYS: lapses (sorted set: records that are not told, by the ms at which their attendant's lease ends), attendants
-- (hash: by record). ARGV: the record, the attendant, ms of a lease.

if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 1 then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[1])
end
return 0
