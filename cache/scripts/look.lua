-- KEYS: the entry (hash). Answers {} where there is none, else {run, age in ms, ms left, answer (false while it runs)}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'answer', 'by', 'since', 'until', 'run', 'run_since', 'run_until')
if held[1] and now < tonumber(held[4]) then
  return {held[2], now - held[3], held[4] - now, held[1]}
end
if held[5] and now < tonumber(held[7]) then
  return {held[5], now - held[6], held[7] - now, false}
end
return {}
