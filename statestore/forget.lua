-- Removes idle streams as the owner, from the directory and with their snapshots.
-- KEYS[1]  the partition's meta;   KEYS[2...]  the key of each stream's snapshot
-- ARGV[1...3]  the token, acked and mine of owns
-- ARGV[4...]   for each key the name of its directory entry, and the entry that was found
--              idle: another one means that the stream was saved again
-- Reply    nil, or what owns refused it for
local ok, refusal = owns(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if not ok then
  return refusal
end
for i = 2, #KEYS do
  local at = 2 * i
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', KEYS[1], ARGV[at])
    redis.call('DEL', KEYS[i])
  end
end
return false
