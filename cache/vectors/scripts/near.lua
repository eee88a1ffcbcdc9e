-- The nearest questions of a place: fingerprint, score, attributes of each. KEYS: the place. ARGV: vector, how many.
local place = KEYS[1]
local dimensions = redis.call('EXISTS', place) == 1 and redis.call('VDIM', place)
if dimensions ~= #ARGV[1] / 4 then
  return {}
end
local found = redis.call('VSIM', place, 'FP32', ARGV[1], 'WITHSCORES', 'COUNT', ARGV[2])
local told = {}
for i = 1, #found, 2 do
  told[#told + 1] = found[i]
  told[#told + 1] = found[i + 1]
  told[#told + 1] = redis.call('VGETATTR', place, found[i])
end
return told
