-- The view of a partition is whole, if all is there that was put.
-- Keys:      1 view (hash)
-- Arguments: 1 fence, 2 incarnation, 3 applied, all as they must be stored
-- Reply:     {'done'}, or {'conflict', which, stored} and nothing was written
-- O(1)

local fields = { 'fence', 'incarnation', 'applied' }
local mark = redis.call('HMGET', KEYS[1], unpack(fields))
for i, field in ipairs(fields) do
  local stored = mark[i] or '0'
  if stored ~= ARGV[i] then return { 'conflict', field, stored } end
end

redis.call('HSET', KEYS[1], 'built', '1')
return { 'done' }
