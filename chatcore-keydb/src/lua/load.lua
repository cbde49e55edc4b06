-- The states of targets of one partition.
-- Keys:      1 snapshots (hash), 2 ... the tail (list) of each target
-- Arguments: the targets, in the order of their keys
-- Reply:     for each a snapshot or nil, and the decisions after it
-- O(answered)

local snapshots = redis.call('HMGET', KEYS[1], unpack(ARGV))
local reply = {}
for i = 1, #ARGV do
  reply[2 * i - 1] = snapshots[i]
  reply[2 * i] = redis.call('LRANGE', KEYS[i + 1], '0', '-1')
end
return reply
