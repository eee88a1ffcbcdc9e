-- What is spent and reserved in a period. KEYS: four of lapse.lua, 5 spent in the period (string). ARGV: the period.
return {redis.call('GET', KEYS[5]), redis.call('HGET', KEYS[1], ARGV[1])}
