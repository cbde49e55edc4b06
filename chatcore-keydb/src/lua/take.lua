-- Takes a partition: its fence becomes higher than the stored one and than another.
-- Keys:      1 view (hash)
-- Arguments: 1 the fence to be above, then the fields of the mark
-- Reply:     their values, nil for those that are not there
-- O(fields), which are about as many as there are partitions

-- Numbers are compared as texts without leading zeros: Lua's are exact only up to 2^53.
local function less(a, b) return #a < #b or (#a == #b and a < b) end

local fence = redis.call('HGET', KEYS[1], 'fence') or '0'
if less(fence, ARGV[1]) then fence = ARGV[1] end
if #fence > 18 then return redis.error_reply('ERR the fence is too high') end

redis.call('HSET', KEYS[1], 'fence', fence)
redis.call('HINCRBY', KEYS[1], 'fence', 1)
return redis.call('HMGET', KEYS[1], unpack(ARGV, 2))
