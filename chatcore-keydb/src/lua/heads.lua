-- The heads of streams of one partition.
-- Keys:      1 view (hash)
-- Arguments: the streams
-- Reply:     {'rebuilding'}, or {'heads', newest position or nil ...}
-- O(streams)

local stored = redis.call('HMGET', KEYS[1], 'built', unpack(ARGV))
if stored[1] ~= '1' then return { 'rebuilding' } end
local reply = { 'heads' }
for i = 2, #ARGV + 1 do
  reply[i] = stored[i] and string.match(stored[i], '^%S+ (%S+)')
end
return reply
