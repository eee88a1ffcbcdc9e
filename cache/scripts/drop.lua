-- Let go of an answer, and of a claim: what that run answers is not kept. KEYS: the entry (hash). Answers how many.

return redis.call('DEL', KEYS[1])
