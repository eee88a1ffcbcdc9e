-- Add to what came. KEYS: weeks of models (hashes: by the start of a quarter hour, how many).
-- ARGV: for each of them the quarter, how many, ms that the week is kept (past ones: it is forgotten at once).

for i, week in ipairs(KEYS) do
  local quarter, count, keep = ARGV[3 * i - 2], ARGV[3 * i - 1], tonumber(ARGV[3 * i])
  redis.call('HINCRBY', week, quarter, count)
  redis.call('PEXPIRE', week, keep)
end
return 0
