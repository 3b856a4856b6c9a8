-- SPDX-License-Identifier: Apache-2.0
-- ratelimit/heartbeat.lua - a gateway says that it lives, and learns how many do.
--   KEYS[1]  sorted set: names of gateways by the time they were last heard of
--   ARGV[1]  this one's name
--   ARGV[2]  microseconds of silence after which one is gone
--   ARGV[3]  the time in microseconds, or "" for the server's own
-- Answers how many live, this one among them.
local silence = tonumber(ARGV[2])
local now
if ARGV[3] == '' then
	-- Before Redis 5 a script that has seen the time may not write without.
	if redis.replicate_commands then redis.replicate_commands() end
	local time = redis.call('TIME')
	now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
	now = tonumber(ARGV[3])
end

local function number(n)
	return string.format('%.0f', n)
end

-- Nothing else lives under this name.
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
redis.call('ZADD', KEYS[1], number(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. number(now - silence))
-- Heard of in a time to come, by a clock that was set back since: as gone.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. number(now + silence), '+inf')
redis.call('PEXPIRE', KEYS[1], number(math.ceil(silence / 1000) * 2))
return redis.call('ZCARD', KEYS[1])
