-- Opens or extends a node's lease, by the server's clock.
-- Keys:      1 leases (sorted by when they lapse)
-- Arguments: 1 node, 2 for how many ms, 3 'open' or 'renew'
-- Reply:     1, or 0 when there is none to renew
-- O(log(nodes)), and lapsed leases are dropped

-- What is random here is sent to replicas as it came out. Newer servers always do so.
if redis.replicate_commands then redis.replicate_commands() end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lapses = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[3] == 'renew' and not (lapses and tonumber(lapses) > now) then return 0 end

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
return 1
