-- Applies the batch of one partition, whole or not at all, and reads the routes of its streams.
-- Keys:      1 mark (hash)      2 heads (hash)     3 routes (hash)      4 cursors (hash)
--            5 snapshots (hash) 6 tails (set)      7 outbox (sorted)    8 due (sorted)
--            9 due-lines (hash) 10 ... each stream's events (list), each target's tail (list)
-- Arguments: 1 fence, 2 incarnation, 3 `applied` before;
--            then seven lists, each its number of entries first:
--            mark:      field, value
--            streams:   name, key, position before, position after, access, number of events,
--                       events
--            decisions: target, key or 0 (a snapshot covers it), cause, bytes
--            snapshots: target, key, bytes
--            due:       target, earliest or '' for none, due-lines
--            cursors:   dialog, lines of `participant delivered read`
--            forgotten: stream, key, dialog or ''
--            then the names of the streams whose routes are wanted
-- Reply:     {'saved', routes ...}, nil for a stream that has none;
--            or {'conflict', which, stored} or {'gap', stream}, and nothing was written
-- O(batch + events of forgotten streams), and log(outbox) for each decision

local at = 3
local function arg()
  at = at + 1
  return ARGV[at]
end
local function entries(length)
  local all = {}
  for i = 1, tonumber(arg()) do
    local entry = {}
    for j = 1, length do entry[j] = arg() end
    all[i] = entry
  end
  return all
end
-- Numbers are compared as texts without leading zeros: Lua's are exact only up to 2^53.
local function less(a, b) return #a < #b or (#a == #b and a < b) end
-- Some at a time: Lua can't pass more than some thousands of values to a call.
local function fields_of(key, fields)
  local values = {}
  for first = 1, #fields, 1000 do
    local part = redis.call('HMGET', key, unpack(fields, first, math.min(first + 999, #fields)))
    for i, value in ipairs(part) do values[first + i - 1] = value end
  end
  return values
end

-- Read all.
local mark_fields = {}
for i = 1, 2 * tonumber(arg()) do mark_fields[i] = arg() end
local streams, names = {}, {}
for i = 1, tonumber(arg()) do
  local stream = { name = arg(), key = KEYS[tonumber(arg())], before = arg(), after = arg(), access = arg() }
  local count = tonumber(arg())
  stream.first, stream.last = at + 1, at + count
  at = at + count
  streams[i], names[i] = stream, stream.name
end
local decisions = entries(4)
local snapshots = entries(3)
local due = entries(3)
local cursors = entries(2)
local forgotten = entries(3)
local wanted = {}
while at < #ARGV do wanted[#wanted + 1] = arg() end

-- Check all.
local mark = redis.call('HMGET', KEYS[1], 'fence', 'incarnation', 'applied', 'trimmed')
local fence, incarnation, applied = mark[1] or '0', mark[2] or '0', mark[3] or '0'
local trimmed = mark[4] or '0'
if less(ARGV[1], fence) then return { 'conflict', 'fence', fence } end
if incarnation ~= ARGV[2] then return { 'conflict', 'incarnation', incarnation } end
if applied ~= ARGV[3] then return { 'conflict', 'applied', applied } end
local stored = fields_of(KEYS[2], names)
for i, stream in ipairs(streams) do
  -- A stream that is not stored may go on from where the archive has it.
  stream.base = stream.before
  if stored[i] then
    local base, newest = string.match(stored[i], '^(%d+:%x+) (%d+:%x+) ')
    if newest ~= stream.before then return { 'gap', stream.name } end
    stream.base = base
  end
end

-- Write.
for _, stream in ipairs(streams) do
  for first = stream.first, stream.last, 1000 do
    redis.call('RPUSH', stream.key, unpack(ARGV, first, math.min(first + 999, stream.last)))
  end
end
for first = 1, #streams, 500 do
  local heads = {}
  for i = first, math.min(first + 499, #streams) do
    local stream = streams[i]
    heads[#heads + 1] = stream.name
    heads[#heads + 1] = stream.base .. ' ' .. stream.after .. ' ' .. stream.access
  end
  redis.call('HSET', KEYS[2], unpack(heads))
end

local outbox, tails, order = {}, {}, {}
for _, decision in ipairs(decisions) do
  local target, key, cause, bytes = unpack(decision)
  if not less(cause, trimmed) then
    outbox[#outbox + 1] = cause
    outbox[#outbox + 1] = bytes
  end
  if key ~= '0' then
    local tail = tails[key]
    if not tail then
      tail = { target = target }
      tails[key] = tail
      order[#order + 1] = key
    end
    tail[#tail + 1] = bytes
  end
end
for first = 1, #outbox, 1000 do
  redis.call('ZADD', KEYS[7], unpack(outbox, first, math.min(first + 999, #outbox)))
end
for _, key in ipairs(order) do
  local tail, length = tails[key], nil
  for first = 1, #tail, 1000 do
    length = redis.call('RPUSH', KEYS[tonumber(key)], unpack(tail, first, math.min(first + 999, #tail)))
  end
  if length == #tail then redis.call('SADD', KEYS[6], tail.target) end
end

for _, snapshot in ipairs(snapshots) do
  local target, key, bytes = unpack(snapshot)
  redis.call('HSET', KEYS[5], target, bytes)
  if redis.call('SREM', KEYS[6], target) == 1 then redis.call('UNLINK', KEYS[tonumber(key)]) end
end

for _, entry in ipairs(due) do
  local target, earliest, lines = unpack(entry)
  if earliest == '' then
    redis.call('ZREM', KEYS[8], target)
    redis.call('HDEL', KEYS[9], target)
  else
    redis.call('ZADD', KEYS[8], earliest, target)
    redis.call('HSET', KEYS[9], target, lines)
  end
end

for _, entry in ipairs(cursors) do
  local dialog, moved = unpack(entry)
  local kept, participants = {}, {}
  local before = redis.call('HGET', KEYS[4], dialog) or ''
  for who, delivered, read in string.gmatch(before .. moved, '(%S+) (%d+) (%d+)\n') do
    local cursor = kept[who]
    if not cursor then
      cursor = { '0', '0' }
      kept[who] = cursor
      participants[#participants + 1] = who
    end
    -- The highest wins, for each of the two by itself.
    if less(cursor[1], delivered) then cursor[1] = delivered end
    if less(cursor[2], read) then cursor[2] = read end
  end
  local lines = {}
  for i, who in ipairs(participants) do
    lines[i] = who .. ' ' .. kept[who][1] .. ' ' .. kept[who][2] .. '\n'
  end
  redis.call('HSET', KEYS[4], dialog, table.concat(lines))
end

for _, entry in ipairs(forgotten) do
  local stream, key, dialog = unpack(entry)
  redis.call('HDEL', KEYS[2], stream)
  redis.call('HDEL', KEYS[3], stream)
  redis.call('UNLINK', KEYS[tonumber(key)])
  if dialog ~= '' then redis.call('HDEL', KEYS[4], dialog) end
end

redis.call('HSET', KEYS[1], 'fence', ARGV[1], unpack(mark_fields))
local reply = { 'saved' }
for i, nodes in ipairs(fields_of(KEYS[3], wanted)) do reply[i + 1] = nodes end
return reply
