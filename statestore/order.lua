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
