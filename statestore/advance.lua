-- Moves a partition's cursor forward as the owner.
-- KEYS[1]  the partition's meta
-- ARGV     the owner's token field, the new cursor field
-- Reply    the stored token field, nil where there is none: another than ARGV[1] has
--          refused
local stored = redis.call('HMGET', KEYS[1], 'token', 'cursor')
if stored[1] == ARGV[1] and greater(ARGV[2], stored[2] or '', 19) then
  redis.call('HSET', KEYS[1], 'cursor', ARGV[2])
end
return stored[1]
