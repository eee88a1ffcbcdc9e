-- Append to logs, publish what was appended, and renew their leases: each log in one step, many logs in one call.
-- The same call begins a log, restores one that Redis has lost, and (with no events) renews a lease alone.
--
-- KEYS, three for each log:  meta (hash), log (stream), gen (string)
-- ARGV, for all:             lease ms, ms that a running log outlives its last renewal, publishing command, run id
-- ARGV, fourteen for each log: fence, epoch, past epochs, channel, first offset, count, message,
--                            generation (empty unless the log is begun or restored), ms to keep it (empty unless it
--                            ends here), owner, ms to remember it
--                            after that, a bell to publish instead of the message (empty: the message),
--                            1 if an ended log of that name makes room, ms that it outlives its last append if nobody
--                            renews it (empty: somebody does)
--
-- Answers {now in ms, {word, tail, cancel, listeners} for each log}. The words: ok; fenced (another writer has it);
-- ended; gap (the events do not begin behind the tail); missing (Redis has lost it: send it whole).

local lease, running, publish, run = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function append(meta, log, gen, a)
  local fence, epoch, past, message = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 6]
  local first, count, generation = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), ARGV[a + 7]
  local held = redis.call('HMGET', meta, 'fence', 'tail', 'ended', 'epoch', 'cancel')
  if held[3] and ARGV[a + 12] == '1' and generation ~= '' then
    redis.call('DEL', meta)
    held = {}
  end
  local tail = tonumber(held[2] or -1)
  local last = first + count - 1
  if held[1] and held[1] ~= fence then
    return {'fenced', tail, '', 0}
  end
  if held[3] then
    return {tail >= last and 'ok' or 'ended', tail, '', 0}
  end
  if generation ~= '' then
    redis.call('DEL', log)
    redis.call('HSET', meta, 'fence', fence, 'owner', ARGV[a + 9], 'epoch', epoch, 'past', past)
    redis.call('SET', gen, generation)
    tail = -1
  elseif not held[1] or redis.call('EXISTS', gen, log) < (tail >= 0 and 2 or 1) then
    return {'missing', -1, '', 0}
  elseif first ~= tail + 1 then
    return {'gap', tail, held[5] or '', 0}
  elseif held[4] ~= epoch then
    redis.call('HSET', meta, 'epoch', epoch, 'past', past)
  end
  redis.call('HSET', meta, 'tail', last, 'lease', now + lease, 'run', run)
  local listeners = 0
  if count > 0 then
    redis.call('XADD', log, (last + 1) .. '-0', 'm', message)
    listeners = redis.call(publish, ARGV[a + 3], ARGV[a + 11] ~= '' and ARGV[a + 11] or message)
  end
  local keep = ARGV[a + 8]
  if keep ~= '' then
    redis.call('HSET', meta, 'ended', 1)
    redis.call('PEXPIRE', log, keep)
    redis.call('PEXPIRE', gen, keep)
    redis.call('PEXPIRE', meta, keep + ARGV[a + 10])
  elseif count == 0 or first == 0 or generation ~= '' or ARGV[a + 13] ~= '' then
    for _, key in ipairs({meta, log, gen}) do
      redis.call('PEXPIRE', key, ARGV[a + 13] ~= '' and ARGV[a + 13] or running)
    end
  end
  return {'ok', last, held[5] or '', listeners}
end

local answers = {now}
for i = 0, #KEYS / 3 - 1 do
  answers[i + 2] = append(KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3], 5 + 14 * i)
end
return answers
