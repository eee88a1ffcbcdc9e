-- Take a key for a generation, unless another one has it.
--
-- KEYS: the claim (hash). ARGV: the generation, the digest of what it was asked, the claim's age in ms (it may have been
-- made while Redis was away), ms it is kept from when it was made, the generation that makes room (empty: none).
-- Answers {generation, digest, age in ms} of the claim that stands: ours, or another one's.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'generation', 'digest', 'since')
if held[1] and held[1] ~= ARGV[5] then
  return {held[1], held[2], now - held[3]}
end
local age, keep = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'digest', ARGV[2], 'since', now - age)
redis.call('PEXPIRE', KEYS[1], math.max(1, keep - age))
return {ARGV[1], ARGV[2], age}
