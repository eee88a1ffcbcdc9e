-- Become the writer of a running log; whoever was it before is fenced off.
--
-- KEYS: meta (hash), gen (string). ARGV: the new fence; `free` to take it only if it was let go of, `lapsed` also if its
-- lease has lapsed and it is not yet later than told; lease ms; run id; an epoch to go on with if Redis may have forgotten
-- events that readers have seen (it is not the run that wrote last); until when (ms) a lease may be seen as lapsed.
-- Answers {word, epoch, past epochs, cancel}. The words: taken, held, ended, expired, unknown.

local meta, gen = KEYS[1], KEYS[2]
local held = redis.call('HMGET', meta, 'ended', 'lease', 'epoch', 'past', 'tail', 'run', 'cancel')
if not held[3] then
  return {'unknown', '', '', ''}
end
if redis.call('EXISTS', gen) == 0 then
  return {'expired', '', '', ''}
end
if held[1] then
  return {'ended', '', '', ''}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = tonumber(held[2])
local lapsed = ARGV[2] == 'lapsed' and lease < now and now < tonumber(ARGV[6])
if ARGV[2] ~= '' and lease ~= 0 and not lapsed then
  return {'held', '', '', ''}
end
local epoch, past = held[3], held[4]
if held[6] ~= ARGV[4] then
  past = past .. epoch .. ':' .. held[5] .. ' '
  epoch = ARGV[5]
end
redis.call('HSET', meta, 'fence', ARGV[1], 'lease', now + ARGV[3], 'epoch', epoch, 'past', past, 'run', ARGV[4])
return {'taken', epoch, past, held[7] or ''}
