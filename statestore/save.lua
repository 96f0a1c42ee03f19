-- Saves snapshots as the owner, each unless the stored one's offset is as great.
-- KEYS[1]  the partition's meta;   KEYS[2...]  a key for each snapshot
-- ARGV[1]  the owner's token field
-- ARGV[2]  milliseconds that a snapshot lives, 0 for ever
-- ARGV[3...]  a record for each key, laid out as record.go says
-- Reply    the stored token field, nil where there is none: another than ARGV[1] has
--          refused them all
local owner = redis.call('HGET', KEYS[1], 'token')
if owner ~= ARGV[1] then
  return owner
end
for i = 2, #KEYS do
  local new = ARGV[i + 1]
  local old = redis.call('GETRANGE', KEYS[i], 0, 23)
  local readable = old:sub(1, 8) == new:sub(1, 8) and old:sub(9, 16) == old:sub(17, 24)
  if not readable or greater(new:sub(9, 16), old:sub(9, 16), 8) then
    if ARGV[2] == '0' then
      redis.call('SET', KEYS[i], new)
    else
      redis.call('SET', KEYS[i], new, 'PX', ARGV[2])
    end
  end
end
return owner
