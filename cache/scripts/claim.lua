-- Make a run the one that answers a question, unless an entry that will do stands.
--
-- KEYS: the entry (hash). ARGV: the run, the run that makes room (empty: none), ms that an answer may be old (empty: any
-- age), ms that it must still be good for, ms that a claim lasts.
-- Answers {} when the claim is ours now, else {run, age in ms, ms left, answer (false while it runs)}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'generation', 'since', 'answer')
if held[1] == ARGV[1] then
  return {}
end
if held[1] and held[1] ~= ARGV[2] then
  local age, left, most = now - held[2], redis.call('PTTL', KEYS[1]), tonumber(ARGV[3])
  local fresh
  if held[3] then
    fresh = (not most or (most > 0 and age <= most)) and left >= tonumber(ARGV[4])
  else
    fresh = not most or most > 0
  end
  if fresh then
    return {held[1], age, left, held[3]}
  end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'since', now)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {}
