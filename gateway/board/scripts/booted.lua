-- Remember a boot. KEYS: the boots of an engine (list, the newest last).
-- ARGV: what it took, how many are kept, ms that they are.
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 0
