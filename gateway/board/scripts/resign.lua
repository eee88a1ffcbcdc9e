-- Give a lease up. KEYS: the lease (string: its holder). ARGV: the holder, or else nothing happens.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 0
