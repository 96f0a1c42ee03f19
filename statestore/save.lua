-- Saves snapshots as the owner, each unless the stored one's offset is as great, and
-- enters them in the directory.
-- KEYS[1]  the partition's meta;   KEYS[2...]  a key for each snapshot
-- ARGV[1...3]  the token, acked and mine of owns
-- ARGV[4...]   for each key the name of its directory entry, the entry, and the record,
--              laid out as directory.go and record.go say
-- Reply    nil, or what owns refused them all for
local ok, refusal = owns(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if not ok then
  return refusal
end
for i = 2, #KEYS do
  local at = 3 * i - 2
  local new = ARGV[at + 2]
  local old = redis.call('GETRANGE', KEYS[i], 0, 23)
  local readable = old:sub(1, 8) == new:sub(1, 8) and old:sub(9, 16) == old:sub(17, 24)
  if not readable or greater(new:sub(9, 16), old:sub(9, 16), 8) then
    redis.call('SET', KEYS[i], new)
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
return false
