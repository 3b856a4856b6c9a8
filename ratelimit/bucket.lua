-- SPDX-License-Identifier: Apache-2.0
-- ratelimit/bucket.lua - bucket.c on the server: one take of one bucket.
--   KEYS[1]    the bucket: "full_at" or "full_at rest"; none is a full one
--   ARGV[1-4]  whole_us, rest, parts, burst of struct bucket_rate
--   ARGV[5-6]  need, want; both 0: only looks
--   ARGV[7]    the time in microseconds, or "" for the server's own
-- Answers {granted, remaining, retry_us, reset_us}. Numbers are doubles: every sum
-- and product here is a whole number below 2^53, hence exact.
local whole, rest, parts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local burst, need, want = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now
if ARGV[7] == '' then
	-- Before Redis 5 a script that has seen the time may not write without.
	if redis.replicate_commands then redis.replicate_commands() end
	local time = redis.call('TIME')
	now = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
	now = tonumber(ARGV[7])
end
now = math.max(0, math.min(now, 4503599627370496))

-- n tokens in microseconds and parts of one.
local function cost_of(n)
	local rests = n * rest
	local left = rests % parts
	return n * whole + (rests - left) / parts, left
end

local function rounded_up(us, left)
	if left > 0 then return us + 1 end
	return us
end

-- What another has left here, or nobody sane, is a full bucket.
local full_at, full_rest = 0, 0
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
	if not string.find(value.err, '^WRONGTYPE') then return value end
elseif value and #value <= 32 then
	local at, left = string.match(value, '^(%d+) ?(%d*)$')
	if at and tonumber(at) < 9007199254740992 then
		full_at, full_rest = tonumber(at), math.min(tonumber(left) or 0, parts - 1)
	end
end

local full, full_left = cost_of(burst)
local debt, debt_left = 0, 0
if full_at >= now then debt, debt_left = full_at - now, full_rest end
local back = debt > full or debt == full and debt_left > full_left
if back then debt, debt_left = full, full_left end

-- What is left, as time and as tokens: a guess, made exact.
local left, left_rest = full - debt, full_left - debt_left
if left_rest < 0 then left, left_rest = left - 1, left_rest + parts end
local function pays_for(n)
	local us, r = cost_of(n)
	return us < left or us == left and r <= left_rest
end
local there = math.floor((left + left_rest / parts) / (whole + rest / parts))
while there > 0 and not pays_for(there) do there = there - 1 end
while there < burst and pays_for(there + 1) do there = there + 1 end

local granted, retry = 0, 0
if need <= there then
	granted = math.max(need, math.min(want, there))
	local us, r = cost_of(granted)
	debt, debt_left = debt + us, debt_left + r
	if debt_left >= parts then debt, debt_left = debt + 1, debt_left - parts end
elseif need <= burst then
	local us, r = cost_of(need)
	us, r = us - left, r - left_rest
	if r < 0 then us, r = us - 1, r + parts end
	retry = rounded_up(us, r)
else
	retry = rounded_up(debt, debt_left)
end

local reset = rounded_up(debt, debt_left)
if granted > 0 or back and need > 0 then
	value = string.format('%.0f', now + debt)
	if debt_left > 0 then value = value .. string.format(' %.0f', debt_left) end
	redis.call('SET', KEYS[1], value, 'PX',
		string.format('%.0f', math.max(1, math.ceil(reset / 1000))))
end
return { granted, there - granted, retry, reset }
