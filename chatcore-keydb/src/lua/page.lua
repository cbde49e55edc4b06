-- Reads a page of a stream and, if a node is named, writes its route in the same step.
-- Keys:      1 view (hash), 2 routes (hash), 3 cursors (hash), 4 events (list)
-- Arguments: 1 stream, 2 node or '', 3 'after' or 'tail', 4 after which seq or how many,
--            5 up to which seq, 6 how many events at most, 7 dialog or ''
-- Reply:     {'rebuilding'}, or {'page', head or nil, cursors or nil, after, events}: with the
--            event at `after` in front, unless that is the base or there are none
-- O(distance to the nearer end of the list + events)

local stored = redis.call('HMGET', KEYS[1], 'built', ARGV[1])
if stored[1] ~= '1' then return { 'rebuilding' } end
local head = stored[2]
local cursors = ARGV[7] ~= '' and redis.call('HGET', KEYS[3], ARGV[7])

if ARGV[2] ~= '' then
  local nodes = redis.call('HGET', KEYS[2], ARGV[1]) or ''
  local line = ARGV[2] .. '\n'
  if not string.find('\n' .. nodes, '\n' .. line, 1, true) then
    redis.call('HSET', KEYS[2], ARGV[1], nodes .. line)
  end
end

if not head then return { 'page', false, cursors, '0', {} } end
local base, newest = string.match(head, '^(%d+):%x+ (%d+):')
base, newest = tonumber(base), tonumber(newest)
local after = tonumber(ARGV[4])
if ARGV[3] == 'tail' then after = newest - after end
after = math.min(math.max(after, base), newest)
local count = math.min(math.min(tonumber(ARGV[5]), newest) - after, tonumber(ARGV[6]))
local events = {}
if after < newest then
  local skip = after - base
  local first, last = math.max(skip - 1, 0), skip + math.max(count, 0) - 1
  if last >= first then
    events = redis.call('LRANGE', KEYS[4], string.format('%.0f', first), string.format('%.0f', last))
  end
end
return { 'page', head, cursors, string.format('%.0f', after), events }
