-- KEYS: the entry (hash). Answers {} where there is none, else {run, age in ms, ms left, answer (false while it runs)}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'generation', 'since', 'answer')
if not held[1] then
  return {}
end
return {held[1], now - held[2], redis.call('PTTL', KEYS[1]), held[3]}
