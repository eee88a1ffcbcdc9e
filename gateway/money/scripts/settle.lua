-- Write down what a run used, and give back what it held: once, however often it is told.
--
-- KEYS: four of lapse.lua, 5 runs that are settled (set), 6 the day's usage (hash: "column outcome model" -> sum),
-- 7 the month's caps (hash: "asked used by_length model" -> runs), 8 to 11 spent in the day, week, month, and in all.
-- ARGV: one JSON object, see redis.py.

local told = cjson.decode(ARGV[1])
if redis.call('SADD', KEYS[5], told.id) == 0 then
  return 0
end
redis.call('PEXPIRE', KEYS[5], REMEMBERED)
give_back(told.id)
redis.call('HDEL', KEYS[2], told.id)
redis.call('ZREM', KEYS[4], told.id)
if told.use.calls == 0 then
  return 1
end

local cost, charged = told.use.cost, told.use.cost
if told.budget then
  local taken = (redis.call('GET', KEYS[told.budget.spent]) or 0) + (redis.call('HGET', KEYS[1], told.budget.name) or 0)
  charged = math.max(0, math.min(cost, told.budget.limit - taken))
end
told.use.cost = charged
told.use.unpaid = told.use.unpaid + cost - charged

for column, sum in pairs(told.use) do
  if sum ~= 0 then
    redis.call('HINCRBY', KEYS[6], column .. ' ' .. told.line, sum)
  end
end
redis.call('PEXPIRE', KEYS[6], told.keep)
if told.cap then
  redis.call('HINCRBY', KEYS[7], told.cap, 1)
  redis.call('PEXPIRE', KEYS[7], told.keep_caps)
end
if charged > 0 then
  for number, keep in ipairs(told.keep_spent) do
    redis.call('INCRBY', KEYS[7 + number], charged)
    if keep > 0 then
      redis.call('PEXPIRE', KEYS[7 + number], keep)
    end
  end
end
return 1
