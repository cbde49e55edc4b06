-- The nodes whose lease runs, by the server's clock.
-- Keys:      1 leases (sorted by when they lapse)
-- Arguments: none
-- Reply:     the nodes
-- O(nodes)

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
