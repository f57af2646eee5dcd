"""How long a request takes while Redis is away, against while it is there.

Bar: the median latency grows by at most 10 %. One client asks for one sentence after the other that
nobody translated before; Redis is there, killed or stopped in turn, so that what else the machine
does weighs on all three alike.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks import report
from tests.support.redis_server import RedisServer, redis_server
from tests.support.server import start_server
from tests.support.traffic import UNLIMITED

BAR = 1.10
SECONDS = 4.0
"""How long each state lasts."""

BODY = {"source_language": "en", "target_language": "pt"}


def latencies(client: httpx.Client, numbers: itertools.count[int]) -> list[float]:
    """Seconds of each request in one stretch of time. Every one is answered."""
    found = []
    until = time.monotonic() + SECONDS
    while (begun := time.monotonic()) < until:
        text = f"The number of the house is {next(numbers)}."
        client.post("/translate/text", json={**BODY, "text": text}).raise_for_status()
        found.append(time.monotonic() - begun)
    return found


def take_away(redis: RedisServer, state: str) -> None:
    """Bring Redis into a state."""
    if state == "killed":
        redis.process.kill()
        redis.process.wait()
    elif state == "stopped":
        redis.process.send_signal(signal.SIGSTOP)


def bring_back(redis: RedisServer, state: str) -> None:
    """And out of it."""
    if state == "killed":
        redis.restart()
    elif state == "stopped":
        redis.process.send_signal(signal.SIGCONT)
    time.sleep(2.0)  # the service finds it again


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    found: dict[str, list[float]] = {"there": [], "killed": [], "stopped": []}
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
        tiers = Path(folder) / "tiers.toml"
        tiers.write_text(UNLIMITED)
        environment = {
            "REDIS_URL": f"unix://{redis.socket}",
            "TIERS_FILE": str(tiers),
            "TRANSLATORS": '["bergamot"]',
            "TRANSCRIBERS": "[]",
            "SYNTHESIZERS": "[]",
            "LIVE_SYNTHESIZERS": "[]",
        }
        with start_server(environment) as server, server.client() as client:
            numbers = itertools.count(1000)
            latencies(client, numbers)  # a warm-up
            for _ in range(options.rounds):
                for state, seconds in found.items():
                    take_away(redis, state)
                    seconds.extend(latencies(client, numbers))
                    bring_back(redis, state)
    medians = {state: statistics.median(seconds) for state, seconds in found.items()}
    ratios = {state: round(m / medians["there"], 3) for state, m in medians.items()}
    holds = max(ratios.values()) <= BAR
    report.write(
        "redis_lost",
        {
            "requests": {state: len(seconds) for state, seconds in found.items()},
            "median_ms": {state: round(1000 * m, 2) for state, m in medians.items()},
            "worst_s": {state: round(max(seconds), 2) for state, seconds in found.items()},
            "ratio": ratios,
            "bar": BAR,
            "holds": holds,
        },
    )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
