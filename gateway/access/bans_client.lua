-- SPDX-License-Identifier: Apache-2.0
-- gateway/access/bans_client.lua - the refusals and the ban of one client, whichever
-- gateway they come from. Times are milliseconds; what a gateway is told is relative,
-- so that its own clock does not matter.
--   KEYS[1]  hash: t times of refusals (",") or c counts of slices (";"), k kinds,
--            q ids; and of the ban s since, u until, l level, f flags (h by hand,
--            s shadow), n node, i ids, r reason. x: lifted
--   ARGV[1]  the time, or "" for the server's own
--   ARGV[2]  count, put, lift, get
--   count:   within, after, for, max, refusals, kinds (bits), flags, node, ids
--   put:     age, left, level, for (0: not doubled), max, flags, node, ids, reason
--   lift:    left
-- Answers nothing where nothing is known of the client, "0" where it is not banned,
-- else fields with tabs between: 2 (made by this) or 1 (held before), age, left,
-- level, flags, node, ids, reason.
local key, op = KEYS[1], ARGV[2]
local KINDS = {'waf', 'limit', 'acl', 'geo', 'protocol', 'auth'}
local EXACT, SLICES, IDS, LEVELS = 64, 16, 16, 30
local now
if ARGV[1] == '' then
	-- Before Redis 5 a script that has seen the time may not write without.
	if redis.replicate_commands then redis.replicate_commands() end
	local time = redis.call('TIME')
	now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
else
	now = tonumber(ARGV[1])
end

local function number(n)
	return string.format('%.0f', n)
end

local kind = redis.call('TYPE', key).ok
if kind == 'none' and (op == 'get' or op == 'lift') then
	if op == 'lift' and tonumber(ARGV[3]) > 0 then
		redis.call('HSET', key, 'x', '1')
		redis.call('PEXPIRE', key, ARGV[3])
	end
	return false
end
-- Nothing else lives under this name.
if kind ~= 'hash' then redis.call('DEL', key) end

local ban = {}
local fields = redis.call('HMGET', key, 's', 'u', 'l', 'f', 'n', 'i', 'r', 'k', 'q')
ban.since, ban.till = tonumber(fields[1] or ''), tonumber(fields[2] or '')
ban.level, ban.flags = tonumber(fields[3] or '') or 0, fields[4] or ''
ban.node, ban.ids, ban.reason = fields[5] or '', fields[6] or '', fields[7] or ''
local known = ban.since and ban.till
local held = known and ban.till > now

local function tell(made)
	return table.concat({made, number(math.max(0, now - ban.since)),
		number(ban.till - now), number(ban.level), ban.flags, ban.node, ban.ids,
		ban.reason}, '\t')
end

local function lasts(level, first, max)
	return math.min(first * 2 ^ level, max)
end

-- The level of the next ban, where the last one is remembered.
local function next_level(max)
	if not known or string.find(ban.flags, 'h') or now - ban.till > max then return 0 end
	return math.min(ban.level + 1, LEVELS)
end

local function keep(max)
	redis.call('DEL', key)
	redis.call('HSET', key, 's', number(ban.since), 'u', number(ban.till),
		'l', number(ban.level), 'f', ban.flags, 'n', ban.node, 'i', ban.ids,
		'r', ban.reason)
	redis.call('PEXPIRE', key, number(ban.till - now + max))
	return tell('2')
end

if op == 'get' then
	return held and tell('1') or '0'
end

if op == 'lift' then
	-- Remembered for as long as somebody may hold the ban.
	local left = math.max(held and ban.till - now or 0, tonumber(ARGV[3]))
	redis.call('DEL', key)
	if left > 0 then
		redis.call('HSET', key, 'x', '1')
		redis.call('PEXPIRE', key, number(left))
	end
	return '0'
end

if op == 'put' then
	local age, left, level = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
	local first, max, flags = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
	if held then
		local was, is = string.find(ban.flags, 's'), string.find(flags, 's')
		if (is and not was) or (not is == not was and ban.till >= now + left) then
			return tell('1')
		end
		level = math.max(level, ban.level)
	elseif first > 0 and age < left then
		-- One made without knowing of the last one's level.
		local remembered = next_level(max)
		if remembered > level then
			level = remembered
			left = lasts(level, first, max) - age
		end
	end
	ban = {since = now - age, till = now + left, level = level, flags = flags,
		node = ARGV[9], ids = ARGV[10], reason = ARGV[11]}
	return keep(first > 0 and max or 0)
end

-- count
if held then return tell('1') end
local within, after = tonumber(ARGV[3]), tonumber(ARGV[4])
local first, max = tonumber(ARGV[5]), tonumber(ARGV[6])
local refusals = tonumber(ARGV[7])
local full = false
local counted = redis.call('HMGET', key, 't', 'c')
local kinds, ids = tonumber(fields[8] or '') or 0, fields[9] or ''
local last = 0
if after <= EXACT then
	local times = {}
	for time in string.gmatch(counted[1] or '', '[^,]+') do
		time = tonumber(time)
		if time and time <= now and now - time <= within then times[#times + 1] = time end
	end
	last = #times
	for _ = 1, math.min(refusals, after) do times[#times + 1] = now end
	full = #times >= after
	for i = 1, #times do times[i] = number(times[i]) end
	redis.call('HSET', key, 't', table.concat(times, ',', math.max(1, #times - after + 1)))
	redis.call('HDEL', key, 'c')
else
	local slice, sum, out = math.floor(now / (within / SLICES)), refusals, {}
	for at, count in string.gmatch(counted[2] or '', '(%d+)=(%d+)') do
		at, count = tonumber(at), tonumber(count)
		if at <= slice and slice - at < SLICES then
			last = last + count
			sum = sum + count
			if at == slice then
				refusals = refusals + count
			else
				out[#out + 1] = number(at) .. '=' .. number(count)
			end
		end
	end
	out[#out + 1] = number(slice) .. '=' .. number(refusals)
	full = sum >= after
	redis.call('HSET', key, 'c', table.concat(out, ';'))
	redis.call('HDEL', key, 't')
end
-- What was left of an earlier window is not what leads to this ban.
if last == 0 then kinds, ids = 0, '' end
kinds = bit.bor(kinds, tonumber(ARGV[8]))
local list = {}
for id in string.gmatch(ids .. ',' .. ARGV[11], '[^,]+') do list[#list + 1] = id end
ids = table.concat(list, ',', math.max(1, #list - IDS + 1))

if full then
	local names, level = {}, next_level(max)
	for i = 1, #KINDS do
		if bit.band(kinds, bit.lshift(1, i - 1)) ~= 0 then names[#names + 1] = KINDS[i] end
	end
	ban = {since = now, till = now + lasts(level, first, max), level = level,
		flags = ARGV[9], node = ARGV[10], ids = ids,
		reason = number(after) .. ' refusals within ' ..
			number(math.floor(within / 1000)) .. ' s: ' .. table.concat(names, ', ')}
	return keep(max)
end
redis.call('HSET', key, 'k', number(kinds), 'q', ids)
redis.call('HDEL', key, 'x')
local stay = within
if known then stay = math.max(stay, ban.till + max - now) end
redis.call('PEXPIRE', key, number(stay))
return '0'
