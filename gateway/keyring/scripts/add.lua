-- Keep a new key. KEYS: keys by id, ids by digest (hashes). ARGV: the id, the digest, the key.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
return 0
