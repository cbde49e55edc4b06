-- Applies the batch of one partition, whole or not at all, and reads the routes of its streams.
-- Keys:      1 view (hash)      2 routes (hash)    3 cursors (hash)     4 snapshots (hash)
--            5 tails (set)      6 outbox (sorted)  7 due (sorted)       8 due-lines (hash)
--            9 ... each stream's events (list), each target's tail (list)
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
local written = { 'fence', ARGV[1] }
for i = 1, 2 * tonumber(arg()) do written[i + 2] = arg() end
local streams, checked = {}, { 'fence', 'incarnation', 'applied', 'trimmed' }
for i = 1, tonumber(arg()) do
  local stream = { name = arg(), key = KEYS[tonumber(arg())], before = arg(), after = arg(), access = arg() }
  local count = tonumber(arg())
  stream.first, stream.last = at + 1, at + count
  at = at + count
  streams[i], checked[i + 4] = stream, stream.name
end
local decisions = entries(4)
local snapshots = entries(3)
local due = entries(3)
local cursors = entries(2)
local forgotten = entries(3)
local wanted = {}
while at < #ARGV do wanted[#wanted + 1] = arg() end

-- Check all.
local stored = fields_of(KEYS[1], checked)
local fence, incarnation, applied = stored[1] or '0', stored[2] or '0', stored[3] or '0'
local trimmed = stored[4] or '0'
if less(ARGV[1], fence) then return { 'conflict', 'fence', fence } end
if incarnation ~= ARGV[2] then return { 'conflict', 'incarnation', incarnation } end
if applied ~= ARGV[3] then return { 'conflict', 'applied', applied } end
for i, stream in ipairs(streams) do
  -- A stream that is not stored may go on from where the archive has it.
  stream.base = stream.before
  local head = stored[i + 4]
  if head then
    local base, newest = string.match(head, '^(%d+:%x+) (%d+:%x+) ')
    if newest ~= stream.before then return { 'gap', stream.name } end
    stream.base = base
  end
end

-- Write.
for _, stream in ipairs(streams) do
  for first = stream.first, stream.last, 1000 do
    redis.call('RPUSH', stream.key, unpack(ARGV, first, math.min(first + 999, stream.last)))
  end
  written[#written + 1] = stream.name
  written[#written + 1] = stream.base .. ' ' .. stream.after .. ' ' .. stream.access
end
for first = 1, #written, 1000 do
  redis.call('HSET', KEYS[1], unpack(written, first, math.min(first + 999, #written)))
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
  redis.call('ZADD', KEYS[6], unpack(outbox, first, math.min(first + 999, #outbox)))
end
for _, key in ipairs(order) do
  local tail, length = tails[key], nil
  for first = 1, #tail, 1000 do
    length = redis.call('RPUSH', KEYS[tonumber(key)], unpack(tail, first, math.min(first + 999, #tail)))
  end
  if length == #tail then redis.call('SADD', KEYS[5], tail.target) end
end

for _, snapshot in ipairs(snapshots) do
  local target, key, bytes = unpack(snapshot)
  redis.call('HSET', KEYS[4], target, bytes)
  if redis.call('SREM', KEYS[5], target) == 1 then redis.call('UNLINK', KEYS[tonumber(key)]) end
end

for _, entry in ipairs(due) do
  local target, earliest, lines = unpack(entry)
  if earliest == '' then
    redis.call('ZREM', KEYS[7], target)
    redis.call('HDEL', KEYS[8], target)
  else
    redis.call('ZADD', KEYS[7], earliest, target)
    redis.call('HSET', KEYS[8], target, lines)
  end
end

for _, entry in ipairs(cursors) do
  local dialog, moved = unpack(entry)
  local kept, participants = {}, {}
  local before = redis.call('HGET', KEYS[3], dialog) or ''
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
  redis.call('HSET', KEYS[3], dialog, table.concat(lines))
end

for _, entry in ipairs(forgotten) do
  local stream, key, dialog = unpack(entry)
  redis.call('HDEL', KEYS[1], stream)
  redis.call('HDEL', KEYS[2], stream)
  redis.call('UNLINK', KEYS[tonumber(key)])
  if dialog ~= '' then redis.call('HDEL', KEYS[3], dialog) end
end

local reply = { 'saved' }
for i, nodes in ipairs(fields_of(KEYS[2], wanted)) do reply[i + 1] = nodes end
return reply
