-- Moves a partition's cursor forward as the owner.
-- KEYS[1]  the partition's meta
-- ARGV     the token, acked and mine of owns; the new cursor field
-- Reply    nil, or what owns refused it for
local ok, refusal = owns(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if not ok then
  return refusal
end
if greater(ARGV[4], redis.call('HGET', KEYS[1], 'cursor') or '', 19) then
  redis.call('HSET', KEYS[1], 'cursor', ARGV[4])
end
return false
