-- Removes a node's route.
-- Keys:      1 routes (hash)
-- Arguments: 1 stream, 2 node
-- Reply:     {'done'}
-- O(nodes of the stream)

local nodes = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local left = {}
for line in string.gmatch(nodes, '[^\n]+') do
  if line ~= ARGV[2] then left[#left + 1] = line .. '\n' end
end
left = table.concat(left)
if left == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
elseif left ~= nodes then
  redis.call('HSET', KEYS[1], ARGV[1], left)
end
return { 'done' }
