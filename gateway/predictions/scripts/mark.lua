-- Write down one thing about a record, if that was not done before. KEYS: the record (hash). ARGV: the field, its value.
-- Answers {the record, its ending, whether it is told, whether its end was heard}, nil in place of what there is not.

if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'record', 'ending', 'told', 'heard')
