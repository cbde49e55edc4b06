-- The heads of streams of one partition.
-- Keys:      1 mark (hash), 2 heads (hash)
-- Arguments: the streams
-- Reply:     {'rebuilding'}, or {'heads', newest position or nil ...}
-- O(streams)

if redis.call('HGET', KEYS[1], 'built') ~= '1' then return { 'rebuilding' } end
local heads = redis.call('HMGET', KEYS[2], unpack(ARGV))
local reply = { 'heads' }
for i = 1, #ARGV do
  reply[i + 1] = heads[i] and string.match(heads[i], '^%S+ (%S+)')
end
return reply
