-- Give slots back. KEYS: the slots (sorted set). ARGV: their holders.
return redis.call('ZREM', KEYS[1], unpack(ARGV))
