-- Drops the decisions of the outbox that were emitted and committed.
-- Keys:      1 view (hash), 2 outbox (sorted)
-- Arguments: 1 fence, 2 the first cause to keep
-- Reply:     {'done'}, or {'conflict', 'fence', stored} and nothing was written
-- O(log(outbox) + dropped)

local function less(a, b) return #a < #b or (#a == #b and a < b) end

local mark = redis.call('HMGET', KEYS[1], 'fence', 'trimmed')
local fence, trimmed = mark[1] or '0', mark[2] or '0'
if less(ARGV[1], fence) then return { 'conflict', 'fence', fence } end
if less(trimmed, ARGV[2]) then trimmed = ARGV[2] end

redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'trimmed', trimmed)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2])
return { 'done' }
