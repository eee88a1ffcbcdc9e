-- Look at a claim. KEYS: the claim (hash). Answers {generation, digest, age in ms}, or {} where none stands.
local held = redis.call('HMGET', KEYS[1], 'generation', 'digest', 'since')
if not held[1] then
  return {}
end
local time = redis.call('TIME')
return {held[1], held[2], time[1] * 1000 + math.floor(time[2] / 1000) - held[3]}
