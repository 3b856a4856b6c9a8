-- SPDX-License-Identifier: Apache-2.0
-- gateway/access/bans_index.lua - which clients' bans changed, in order.
--   KEYS[1]  sorted set: clients by the version of their last change; and above them
--            all, a half more than the last version, "#" and the name of this history
--   ARGV[1]  note: client, its ban's milliseconds, a name for a new history
--            news: name of the history known, version seen, most clients
--            some: rank from, most clients
--            drop: client, version; only if it is that still
-- news answers {history, version, client, its version, ...}; where the history is
-- another one, or went back, from its beginning. some answers {history, clients in
-- all, client, its version, ...}.
local key, op = KEYS[1], ARGV[1]
local CLIENTS_MAX = 65536

local function number(n)
	return string.format('%.0f', n)
end

local kind = redis.call('TYPE', key).ok
if kind ~= 'zset' then
	if op ~= 'note' then return {'', '0'} end
	-- Nothing else lives under this name.
	redis.call('DEL', key)
end

local history, version = '', 0
local top = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
if top[1] then
	version = math.floor(tonumber(top[2]))
	if string.sub(top[1], 1, 1) == '#' then history = top[1] end
end

if op == 'note' then
	if history == '' then history = '#' .. ARGV[4] end
	version = version + 1
	redis.call('ZADD', key, number(version), ARGV[2], number(version) .. '.5', history)
	local over = redis.call('ZCARD', key) - 1 - CLIENTS_MAX
	if over > 0 then redis.call('ZREMRANGEBYRANK', key, 0, over - 1) end
	if redis.call('PTTL', key) < tonumber(ARGV[3]) then
		redis.call('PEXPIRE', key, ARGV[3])
	end
	return number(version)
end

if op == 'drop' then
	local score = redis.call('ZSCORE', key, ARGV[2])
	if score and tonumber(score) == tonumber(ARGV[3]) then
		redis.call('ZREM', key, ARGV[2])
	end
	return '0'
end

local list
local out = {history, number(version)}
if op == 'news' then
	local seen = tonumber(ARGV[3])
	if ARGV[2] ~= history or seen > version then seen = 0 end
	list = redis.call('ZRANGEBYSCORE', key, '(' .. number(seen), number(version),
		'WITHSCORES', 'LIMIT', 0, ARGV[4])
else
	out[2] = number(redis.call('ZCARD', key))
	list = redis.call('ZRANGE', key, ARGV[2], number(ARGV[2] + ARGV[3] - 1), 'WITHSCORES')
end
for i = 1, #list, 2 do
	if string.sub(list[i], 1, 1) ~= '#' then
		out[#out + 1] = list[i]
		out[#out + 1] = list[i + 1]
	end
end
return out
