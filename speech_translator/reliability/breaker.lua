-- One breaker of all processes in one atomic step, by Redis' own clock. What `breaker_machine.py`
-- does in memory; the names are its own.
--
-- KEYS[1]: a hash: state, generation, reason, since, until, streak, opens, probed; of each bucket i
-- of the window `s<i>` (its slot), `c<i>`, `f<i>`, `w<i>` (calls, failures, slow ones); of each
-- probe `lease:<name>`, when it lapses. Times are milliseconds since 1970.
-- ARGV: mode (acquire, settle, release, reset, trip, relent), lease, generation, outcome, slow (1 or 0);
-- then the configuration: consecutive_failures, failure_rate (above 1 for none), window_ms,
-- minimum_calls, slow_call_rate, open_ms, probes, probe_successes, probe_ttl_ms.
-- Answers granted (1 or 0), state, generation, reason, wait in ms (-1 for none), age of the state
-- in ms, streak, opens, calls, failures, slow ones.

local BUCKETS, KEPT_MS = 10, 86400000
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local key, mode, lease, outcome = KEYS[1], ARGV[1], ARGV[2], ARGV[4]
local slow = tonumber(ARGV[5])
local consecutive, failure_rate, window_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local minimum, slow_rate, open_ms = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local most_probes, wanted, ttl_ms = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])

local kept, flat = {}, redis.call('HGETALL', key)
for at = 1, #flat, 2 do kept[flat[at]] = flat[at + 1] end
local function number(name, otherwise) return tonumber(kept[name] or otherwise or 0) end

local state, reason = kept['state'] or 'closed', kept['reason'] or 'reset'
local generation, since = number('generation'), number('since', now)
local written = {}
local function write(name, value)
  written[#written + 1], written[#written + 2] = name, string.format('%.0f', value)
  kept[name] = string.format('%.0f', value)
end

local slot = math.floor(now / (window_ms / BUCKETS))
local function counts()
  local calls, failures, slows = 0, 0, 0
  for bucket = 0, BUCKETS - 1 do
    if number('s' .. bucket, -1) > slot - BUCKETS then
      calls = calls + number('c' .. bucket)
      failures = failures + number('f' .. bucket)
      slows = slows + number('w' .. bucket)
    end
  end
  return calls, failures, slows
end

-- Whether something that was to last for `life` still does. Where it would last longer, the clock
-- was set back, and nobody is to wait for that.
local function lasts(name, life)
  local left = number(name) - now
  return left > 0 and left <= life
end

-- Probes under way, and when the first of their leases lapses.
local function probing()
  local held, first = 0, nil
  for name, lapses in pairs(kept) do
    if string.sub(name, 1, 6) == 'lease:' and lasts(name, ttl_ms) then
      held = held + 1
      first = math.min(first or tonumber(lapses), tonumber(lapses))
    end
  end
  return held, first
end

local function wait()
  if state == 'open' then
    return lasts('until', open_ms) and number('until') - now or -1
  end
  local held, first = probing()
  if state == 'closed' or held < most_probes then return -1 end
  return math.min(first - now, open_ms)
end

local function enter(entered, why)
  local opens = number('opens') + (entered == 'open' and 1 or 0)
  if entered ~= state then since = now end
  state, reason, generation = entered, why, generation + 1
  redis.call('DEL', key)
  kept, written = {}, {}
  redis.call('HSET', key, 'state', state, 'reason', reason)
  write('generation', generation)
  write('since', since)
  write('opens', opens)
  if state == 'open' then write('until', now + open_ms) end
end

local function verdict()
  if number('streak') >= consecutive then return 'consecutive_failures' end
  local calls, failures, slows = counts()
  if calls < minimum then return nil end
  if failures / calls >= failure_rate then return 'failure_rate' end
  if slows / calls >= slow_rate then return 'slow_calls' end
end

local function count()
  if outcome == 'ignored' and slow == 0 then return end
  local bucket = slot % BUCKETS
  local fresh = number('s' .. bucket, -1) == slot
  local function add(name, one) write(name, (fresh and number(name) or 0) + one) end
  add('c' .. bucket, 1)
  add('f' .. bucket, outcome == 'failure' and 1 or 0)
  add('w' .. bucket, slow)
  write('s' .. bucket, slot)
  if outcome == 'failure' then write('streak', number('streak') + 1) end
  if outcome == 'success' then write('streak', 0) end
  if outcome == 'failure' or slow == 1 then
    local why = verdict()
    if why then enter('open', why) end
  end
end

local function judge()
  if outcome == 'failure' or slow == 1 then
    enter('open', 'probe_failed')
  elseif outcome == 'success' then
    write('probed', number('probed') + 1)
    if number('probed') >= wanted then enter('closed', 'probe_succeeded') end
  end
end

local granted = 0
if mode == 'acquire' and state == 'closed' then
  granted = 1
elseif mode == 'acquire' and wait() < 0 then
  if state == 'open' then enter('half_open', 'probing') end
  for name in pairs(kept) do
    if string.sub(name, 1, 6) == 'lease:' and not lasts(name, ttl_ms) then
      redis.call('HDEL', key, name)
    end
  end
  write('lease:' .. lease, now + ttl_ms)
  granted = 1
elseif mode == 'release' then
  redis.call('HDEL', key, 'lease:' .. lease)
  kept['lease:' .. lease] = nil
elseif mode == 'settle' and tonumber(ARGV[3]) == generation then
  if state == 'closed' then
    count()
  elseif kept['lease:' .. lease] then
    local alive = lasts('lease:' .. lease, ttl_ms)
    redis.call('HDEL', key, 'lease:' .. lease)
    kept['lease:' .. lease] = nil
    if alive then judge() end
  end
elseif mode == 'reset' then
  enter('closed', 'reset')
elseif mode == 'relent' then
  if state == 'open' then write('until', now) end
elseif mode == 'trip' then
  if state == 'open' then write('until', now + open_ms) else enter('open', 'tripped') end
end

if #written > 0 then
  redis.call('HSET', key, unpack(written))
  redis.call('PEXPIRE', key, KEPT_MS + math.max(open_ms, ttl_ms))
end
local calls, failures, slows = counts()
return {
  granted, state, generation, reason, wait(), now - since,
  number('streak'), number('opens'), calls, failures, slows,
}
