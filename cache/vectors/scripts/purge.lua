-- Forget what of a place is meant; how many. KEYS: the place. ARGV: fingerprint, key; an empty one means any.
local place, fingerprint, key = KEYS[1], ARGV[1], ARGV[2]
if redis.call('EXISTS', place) == 0 then
  return 0
end
local held = redis.call('VCARD', place)
if fingerprint == '' and key == '' then
  redis.call('UNLINK', place)
  return held
end
local purged = 0
for _, member in ipairs(redis.call('VRANDMEMBER', place, held)) do
  local of_key = cjson.decode(redis.call('VGETATTR', place, member)).key
  if (fingerprint == '' or fingerprint == member) and (key == '' or key == of_key) then
    purged = purged + redis.call('VREM', place, member)
  end
end
return purged
