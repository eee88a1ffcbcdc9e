-- Put a question into a place. KEYS: the place. ARGV: vector, fingerprint, attributes, time to live (ms), most.
local place = KEYS[1]
redis.call('VADD', place, 'FP32', ARGV[1], ARGV[2], 'NOQUANT', 'SETATTR', ARGV[3])
if redis.call('PTTL', place) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', place, ARGV[4])
end
if redis.call('VCARD', place) > tonumber(ARGV[5]) then
  local two = redis.call('VRANDMEMBER', place, 2)
  redis.call('VREM', place, two[1] ~= ARGV[2] and two[1] or two[2])
end
