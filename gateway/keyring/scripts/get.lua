-- One key. KEYS: keys by id, ids by digest, when they were revoked by id (hashes).
-- ARGV: an id or a digest; which of them it is.
-- Answers {the key, when it was revoked}, nil in place of what there is not.
local id = ARGV[1]
if ARGV[2] == 'digest' then
  id = redis.call('HGET', KEYS[2], id)
end
if not id then
  return {false, false}
end
return {redis.call('HGET', KEYS[1], id), redis.call('HGET', KEYS[3], id)}
