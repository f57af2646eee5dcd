"""Steady mixed load for a long time: nothing grows, and every request is answered rightly.

Bar: over the last half of the run the resident memory of every process grows by less than 1 MiB a
minute, and neither descriptors nor tasks grow. Memory is the slope of a straight line through the
samples; descriptors and tasks are the median of the last quarter against that of the first.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import report
from tests.support.server import Server, start_server
from tests.support.soak import Watch
from tests.support.traffic import MIXED, UNLIMITED, Client, Traffic, traffic

MEMORY_BAR = 1.0
"""MiB a minute."""


async def soak(server: Server, seconds: float) -> tuple[Watch, Traffic]:
    """Load for so long, and what was seen of the processes meanwhile."""
    watch = Watch(server)
    client = Client(server.url, server.headers, pause_s=0.1)
    async with traffic(client, MIXED) as load:
        await watch.run(seconds)
    return watch, load


def judged(watch: Watch, load: Traffic, seconds: float) -> dict[str, Any]:
    """What grew over the last half, by process."""
    since = seconds / 2
    processes = [
        {
            "process": one.name,
            "mib": round(one.memory[-1], 1),
            "mib_a_minute": round(one.slope(since), 3),
            "more_descriptors": one.more_descriptors(since),
        }
        for one in watch.lasting(0.9 * seconds)
    ]
    more_tasks = watch.more_tasks(since)
    return {
        "seconds": seconds,
        "requests": len(load.outcomes),
        "bad": len(load.bad()),
        "more_tasks": more_tasks,
        "processes": processes,
        "bar_mib_a_minute": MEMORY_BAR,
        "holds": not load.bad()
        and more_tasks <= 2
        and all(p["mib_a_minute"] < MEMORY_BAR and p["more_descriptors"] <= 2 for p in processes),
    }


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiers = Path(folder) / "tiers.toml"
        tiers.write_text(UNLIMITED)
        with start_server({"TIERS_FILE": str(tiers)}) as server:
            watch, load = asyncio.run(soak(server, 60 * options.minutes))
    found = judged(watch, load, 60 * options.minutes)
    report.write("soak", found)
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
