-- Makes a token the owner of a partition, unless the owner is greater.
-- KEYS[1]  the partition's meta
-- ARGV     the token, cursor and store fields that a new partition gets
-- Reply    the three fields as they now are: another token than ARGV[1] has refused it;
--          then the token field before, nil where there was none, and the number of writes
local stored = redis.call('HMGET', KEYS[1], 'token', 'cursor', 'store', 'writes')
if not stored[1] then
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'cursor', ARGV[2], 'store', ARGV[3])
  return {ARGV[1], ARGV[2], ARGV[3], '', '0'}
end
local before = stored[1]
if #stored[1] == #ARGV[1] and greater(ARGV[1], stored[1], 39) then
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
  stored[1] = ARGV[1]
end
return {stored[1], stored[2] or '', stored[3] or '', before, stored[4] or '0'}
