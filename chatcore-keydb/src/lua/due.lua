-- The due-lines of the targets whose earliest one is due.
-- Keys:      1 due (sorted), 2 due-lines (hash)
-- Arguments: 1 due at, 2 how many targets at most
-- Reply:     the due-lines of each target, the earliest first
-- O(log(targets) + answered)

local targets = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', '0', ARGV[2])
local lines = {}
for i, target in ipairs(targets) do lines[i] = redis.call('HGET', KEYS[2], target) end
return lines
