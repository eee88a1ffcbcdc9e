-- Make a run the one that answers a question, unless an answer or a run that will do stands. An answer that will not do
-- for this caller stays for others until the new one is kept.
--
-- KEYS: the entry (hash: answer, by, since, until; run, run_since, run_until). ARGV: the run, the run that makes room
-- (empty: none), ms that an answer may be old (empty: any age), ms that it must still be good for, ms that a claim lasts.
-- Answers {} when the claim is ours now, else {run, age in ms, ms left, answer (false while it runs)}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, least, claim = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local held = redis.call('HMGET', KEYS[1], 'answer', 'by', 'since', 'until', 'run', 'run_since', 'run_until')
local old = not most or most > 0
local answered = held[1] and held[2] ~= ARGV[2] and now < tonumber(held[4])
local running = held[5] and now < tonumber(held[7])

if running and held[5] == ARGV[1] then
  return {}
end
if answered and old then
  local age, left = now - held[3], held[4] - now
  if (not most or age <= most) and left >= least then
    return {held[2], age, left, held[1]}
  end
end
if running and held[5] ~= ARGV[2] and old then
  return {held[5], now - held[6], held[7] - now, false}
end
if not answered then
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'run', ARGV[1], 'run_since', now, 'run_until', now + claim)
redis.call('PEXPIRE', KEYS[1], math.max(claim, answered and held[4] - now or 0))
return {}
