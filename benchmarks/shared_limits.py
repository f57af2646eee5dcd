"""Whether replicas that share a Redis allow together exactly what one tier allows.

Four real servers (scripted engines, everything before them real) and one Redis; 2,000 requests of
one key are under way at the same time, 500 at each. Against 100 a day exactly 100 pass; against 100
a minute, as many more as the elapsed time refilled. A decision that a replica made alone, because
Redis did not answer it in time, is counted and fails the bar. ``cpu_us`` is what one decision about
the two limits of a tier costs this process, in memory and by Redis, which works in its own. The
exit status is 1 where the bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import report
from speech_translator.security.fallback import FallbackConfig
from speech_translator.security.rate_limiter import RateLimiter
from speech_translator.security.redis_client import RedisConfig
from speech_translator.security.shared import Shared, shared_in_memory, shared_in_redis
from speech_translator.security.tiers import TierName, load_tiers
from tests.support.redis_server import RedisServer, redis_server
from tests.support.replicas import burst, figure, make_key, replicas

LIMIT = 100
TIERS = {
    "day": f'requests_per_minute = "unlimited"\nrequests_per_day = {LIMIT}\n',
    "minute": f'requests_per_minute = {LIMIT}\nrequests_per_day = "unlimited"\n',
}


def _burst(redis: RedisServer, limit: str, count: int, requests: int) -> dict[str, Any]:
    """What passed of one key's requests under one limit."""
    with tempfile.TemporaryDirectory() as folder:
        tiers = Path(folder) / "tiers.toml"
        tiers.write_text(f"[pro]\n{TIERS[limit]}", encoding="utf-8")
        settings = {"TIERS_FILE": str(tiers)}
        with replicas(count, redis, Path(folder) / "data", settings) as servers:
            key, _ = make_key(servers[0], user_id=limit)
            done = uvloop.run(burst(servers, key, requests))
            alone = sum(figure(server, "shared_store_alone", "limits") for server in servers)
    refilled = int(done.seconds * LIMIT / 60) if limit == "minute" else 0
    passed = done.statuses[200]
    return {
        "passed": passed,
        "refused": done.statuses[429],
        "other": requests - passed - done.statuses[429],
        "seconds": round(done.seconds, 2),
        "refilled_at_most": refilled,
        "decided_alone": int(alone),
        "holds": LIMIT <= passed <= LIMIT + refilled
        and passed + done.statuses[429] == requests
        and not alone,
    }


async def _cpu_us(shared: Shared, decisions: int) -> float:
    """CPU of this process for one decision."""
    async with shared:
        limiter = RateLimiter(shared.limits, load_tiers())
        for number in range(decisions // 10):
            await limiter.admit(f"owner:{number}", TierName.PRO)
        begun = time.process_time()
        for number in range(decisions):
            await limiter.admit(f"owner:{number % 100}", TierName.PRO)
        return round((time.process_time() - begun) / decisions * 1e6, 1)


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--decisions", type=int, default=3_000)
    options = parser.parse_args()
    with redis_server() as redis:
        found = {limit: _burst(redis, limit, options.replicas, options.requests) for limit in TIERS}
        by_redis = shared_in_redis(RedisConfig(f"unix://{redis.socket}"), FallbackConfig())
        cpu = {
            "memory": uvloop.run(_cpu_us(shared_in_memory(), options.decisions)),
            "redis": uvloop.run(_cpu_us(by_redis, options.decisions)),
        }
    figures = {
        "bar": f"exactly {LIMIT} a day, and {LIMIT} a minute beside what was refilled",
        "replicas": options.replicas,
        "requests": options.requests,
        "limits": found,
        "cpu_us": cpu,
    }
    report.write("shared_limits", figures)
    return 0 if all(row["holds"] for row in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
