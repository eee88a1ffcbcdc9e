-- Reserve an amount for a run, if it stays within the limit; else what it held before stands.
--
-- KEYS: four of lapse.lua, 5 spent in the period (string), 6 runs that are settled (set).
-- ARGV: the run, the period, the limit, the amount, what it holds (JSON with name and amount), ms it stands.
-- Answers {1 if it is held, what is left}.

local run, period, limit, amount = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local left = limit - (redis.call('GET', KEYS[5]) or 0) - (redis.call('HGET', KEYS[1], period) or 0)
if redis.call('SISMEMBER', KEYS[6], run) == 1 then
  return {1, left}
end
if redis.call('ZSCORE', KEYS[3], run) then
  left = left + held(run).amount
end
if amount > left then
  return {0, left}
end
give_back(run)
redis.call('HINCRBY', KEYS[1], period, amount)
redis.call('HSET', KEYS[2], run, ARGV[5])
redis.call('ZADD', KEYS[3], now + ARGV[6], run)
redis.call('ZREM', KEYS[4], run)
return {1, left - amount}
