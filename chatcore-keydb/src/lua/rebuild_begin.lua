-- One step of forgetting all that is stored of a partition but its fence and its routes. From the
-- first step on the partition is as in an empty store; after the last one it has the mark given.
-- Keys:      1 view (hash)    3 snapshots (hash)   5 outbox (sorted)   7 due-lines (hash)
--            2 cursors (hash) 4 tails (set)        6 due (sorted)
-- Arguments: 1 fence, 2 what the keys of events begin with, 3 what the keys of tails begin with,
--            4 how many streams and how many tails to forget at most, 5 how many fields a mark has,
--            these fields, then the fields and values of the mark given
-- Reply:     {'more'} or {'done'}, or {'conflict', 'fence', stored} and nothing was written
-- O(what is forgotten in this step), and in the last one O(what is left)
-- The events and tails that it forgets are named by what it finds: they can't be among the keys.

-- What is random here is sent to replicas as it came out. Newer servers always do so.
if redis.replicate_commands then redis.replicate_commands() end

local function less(a, b) return #a < #b or (#a == #b and a < b) end

local fence = redis.call('HGET', KEYS[1], 'fence') or '0'
if less(ARGV[1], fence) then return { 'conflict', 'fence', fence } end

local given = 6 + tonumber(ARGV[5])
redis.call('HDEL', KEYS[1], unpack(ARGV, 6, given - 1))
redis.call('HSET', KEYS[1], 'fence', ARGV[1])

-- The other fields of the view are streams: these have a slash.
local found, cursor = {}, '0'
repeat
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', ARGV[4])
  cursor = page[1]
  for i = 1, #page[2], 2 do
    if string.find(page[2][i], '/', 1, true) then found[#found + 1] = page[2][i] end
  end
until cursor == '0' or #found > 0
for _, stream in ipairs(found) do
  redis.call('HDEL', KEYS[1], stream)
  redis.call('UNLINK', ARGV[2] .. stream)
end
for _, target in ipairs(redis.call('SPOP', KEYS[4], ARGV[4])) do
  redis.call('UNLINK', ARGV[3] .. target)
end
if redis.call('HLEN', KEYS[1]) > 1 or redis.call('SCARD', KEYS[4]) > 0 then return { 'more' } end

redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[5], KEYS[6], KEYS[7])
redis.call('HSET', KEYS[1], unpack(ARGV, given))
return { 'done' }
