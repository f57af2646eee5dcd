-- Limits on Redis: counters.py in one atomic step, by Redis' own clock.
--
-- KEYS: one counter a debit. ARGV[1]: "forget", which drops them and nothing more, or "acquire",
-- "settle", "peek" or "floor"; then for each debit four:
-- kind ("rate", "day" or "month"), limit, period in microseconds (rates; else 0), cost.
-- Answers {now in microseconds, then for each debit: the counter's two numbers as strings, and the
-- wait in microseconds as a string: "0" when it passes, "-1" when it never will}.

local SLACK_US = 1
local DAY_US = 86400000000

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

-- Days to a month's number and to the day on which the next begins: the civil calendar of
-- http://howardhinnant.github.io/date_algorithms.html
local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
    - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return 12 * year + month - 1
end

local function first_day_of(number)
  local year = math.floor(number / 12)
  local month = number % 12 + 1
  if month <= 2 then year = year - 1 end
  local era = math.floor(year / 400)
  local yoe = year - era * 400
  local doy = math.floor((153 * (month > 2 and month - 3 or month + 9) + 2) / 5)
  local doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy
  return era * 146097 + doe - 719468
end

local function window_of(kind)
  local day = math.floor(now / DAY_US)
  if kind == 'day' then return day, (day + 1) * DAY_US end
  local number = month_of(day)
  return number, first_day_of(number + 1) * DAY_US
end

local function show(number)
  return string.format('%.3f', number)
end

local mode = ARGV[1]
if mode == 'forget' then return redis.call('DEL', unpack(KEYS)) end
local debits = {}
local passes = true

for index, key in ipairs(KEYS) do
  local at = 4 * index - 2
  local debit = {
    key = key, kind = ARGV[at], limit = tonumber(ARGV[at + 1]),
    period = tonumber(ARGV[at + 2]), cost = tonumber(ARGV[at + 3]), wait = 0,
  }
  local kept = redis.call('GET', key)
  local first, second = 0, 0
  if kept then
    local space = string.find(kept, ' ', 1, true)
    first = tonumber(string.sub(kept, 1, space - 1))
    second = tonumber(string.sub(kept, space + 1))
  end
  if debit.kind == 'rate' then
    debit.first, debit.second = first, 0
    local schedule = math.max(first, now)
    debit.new = schedule + debit.cost * debit.period / debit.limit
    local over = debit.new - now - debit.period
    if over > SLACK_US then debit.wait = over end
    debit.ends = debit.new
  else
    local number, ends = window_of(debit.kind)
    local taken = second < number and 0 or first
    debit.first, debit.second = first, second
    debit.new = math.max(0, taken + debit.cost)
    if mode == 'floor' then debit.new = math.max(taken, debit.cost) end
    debit.number = math.max(number, second)
    if taken + debit.cost > debit.limit then debit.wait = ends - now end
    debit.ends = ends
  end
  if debit.cost > debit.limit then debit.wait = -1 end
  if debit.wait ~= 0 then passes = false end
  debits[index] = debit
end

local answer = { string.format('%d', now) }
local take = mode == 'settle' or mode == 'floor' or (mode == 'acquire' and passes)
for _, debit in ipairs(debits) do
  if take then
    debit.first = debit.new
    if debit.kind ~= 'rate' then debit.second = debit.number end
    -- A minute more than it is needed for: for clocks that are not quite together.
    local life = math.ceil((debit.ends - now) / 1000) + 60000
    if debit.kind == 'rate' and debit.new <= now then
      redis.call('DEL', debit.key)
    else
      redis.call('SET', debit.key, show(debit.first) .. ' ' .. string.format('%d', debit.second), 'PX', life)
    end
  end
  answer[#answer + 1] = show(debit.first)
  answer[#answer + 1] = string.format('%d', debit.second)
  answer[#answer + 1] = show(debit.wait)
end
return answer
