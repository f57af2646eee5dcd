-- Leases of one subject in one atomic step, by Redis' own clock.
--
-- KEYS[1]: a sorted set of leases, each by the millisecond since 1970 at which it lapses.
-- ARGV: "acquire", "renew" or "release"; the lease; its life in milliseconds; the limit (acquire).
-- Answers 1, or 0 where the limit is reached.

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local key, mode, lease, life = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
if mode == 'release' then
  redis.call('ZREM', key, lease)
  return 1
end
if mode == 'acquire' and not redis.call('ZSCORE', key, lease)
  and redis.call('ZCARD', key) >= tonumber(ARGV[4]) then
  return 0
end
redis.call('ZADD', key, now + life, lease)
-- Another version's replicas may give theirs a longer life.
redis.call('PEXPIRE', key, math.max(life, redis.call('PTTL', key)))
return 1
