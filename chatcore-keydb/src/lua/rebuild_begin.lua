-- One step of forgetting all that is stored of a partition but its fence and its routes. From the
-- first step on the partition is as in an empty store; after the last one it has the mark given.
-- Keys:      1 mark (hash)      2 heads (hash)   4 snapshots (hash)   6 outbox (sorted)
--            3 cursors (hash)   5 tails (set)    7 due (sorted)       8 due-lines (hash)
-- Arguments: 1 fence, 2 what the keys of events begin with, 3 what the keys of tails begin with,
--            4 how many streams and how many tails to forget at most,
--            then the mark's fields and values
-- Reply:     {'more'} or {'done'}, or {'conflict', 'fence', stored} and nothing was written
-- O(what is forgotten in this step), and in the last one O(what is left)
-- The events and tails that it forgets are named by what it finds: they can't be among the keys.

-- What is random here is sent to replicas as it came out. Newer servers always do so.
if redis.replicate_commands then redis.replicate_commands() end

local function less(a, b) return #a < #b or (#a == #b and a < b) end

local fence = redis.call('HGET', KEYS[1], 'fence') or '0'
if less(ARGV[1], fence) then return { 'conflict', 'fence', fence } end

redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'built', '0')

local found, cursor = {}, '0'
repeat
  local page = redis.call('HSCAN', KEYS[2], cursor, 'COUNT', ARGV[4])
  cursor = page[1]
  for i = 1, #page[2], 2 do found[#found + 1] = page[2][i] end
until cursor == '0' or #found > 0
for _, stream in ipairs(found) do
  redis.call('HDEL', KEYS[2], stream)
  redis.call('UNLINK', ARGV[2] .. stream)
end
for _, target in ipairs(redis.call('SPOP', KEYS[5], ARGV[4])) do
  redis.call('UNLINK', ARGV[3] .. target)
end
if redis.call('HLEN', KEYS[2]) > 0 or redis.call('SCARD', KEYS[5]) > 0 then return { 'more' } end

redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[6], KEYS[7], KEYS[8])
redis.call('HSET', KEYS[1], 'fence', ARGV[1], unpack(ARGV, 5))
return { 'done' }
