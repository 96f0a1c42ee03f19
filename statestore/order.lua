-- greater says whether the first n bytes of a are above those of b. Not a > b: Lua
-- compares strings in the server's locale. Not as numbers: Lua's end at 2^53.
local function greater(a, b, n)
  for i = 1, n do
    local x, y = a:byte(i), b:byte(i) or -1
    if x ~= y then
      return x > y
    end
  end
  return false
end

-- owns looks whether a write may go ahead: its token is the owner's, and no write that was
-- acknowledged to the writer is missing. It counts the write.
--   meta  the partition's key      token   the writer's token field
--   acked the number of the writer's last acknowledged write, mine that of this one
-- Returns true, or false and the stored token field and number.
local function owns(meta, token, acked, mine)
  local stored = redis.call('HMGET', meta, 'token', 'writes')
  local writes = tonumber(stored[2] or '0') or 0
  if stored[1] ~= token or writes < tonumber(acked) then
    return false, {stored[1], stored[2] or '0'}
  end
  if tonumber(mine) > writes then
    redis.call('HSET', meta, 'writes', mine)
  end
  return true
end
