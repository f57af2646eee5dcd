"""What the broker adds to a call: an engine that answers at once, in a process of its own.

One caller after the other gives the round trip; 16 callers at once give what the broker's process
can pass through, and its CPU time a call, which competes with the engine on a small machine.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator

import uvloop

from benchmarks import report, service
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Priority, TranslateCall
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.broker import Broker

TEXT = "The young driver borrowed a map of the city at the station before breakfast."


async def _ask(broker: Broker, numbers: Iterator[int], count: int) -> None:
    for _ in range(count):
        call = TranslateCall(f"{next(numbers)} {TEXT}", "en", "pt")
        await broker.submit(
            "echo", call, priority=Priority.INTERACTIVE, deadline=Deadline.after(30)
        )


async def _timed(
    broker: Broker, numbers: Iterator[int], callers: int, count: int
) -> tuple[float, float]:
    """Microseconds of wall time and of this process's CPU a call."""
    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_ask(broker, numbers, count // callers) for _ in range(callers)))
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return wall / count * 1e6, cpu / count * 1e6


async def _measure(rounds: int, count: int) -> dict[str, float]:
    spec = EngineSpec(
        name="echo",
        task="translation",
        factory="tests.support.engines:load",
        options={"concurrency": 2},
        environment={"PYTHONPATH": str(service.ROOT)},
    )
    broker = Broker([spec])
    await broker.start()
    numbers = itertools.count()
    figures: dict[str, list[float]] = {}
    try:
        await broker.wait_ready("echo")
        await _timed(broker, numbers, 16, count)  # warm-up
        for _ in range(rounds):
            for name, callers in (("sequential", 1), ("16_callers", 16)):
                wall, cpu = await _timed(broker, numbers, callers, count)
                figures.setdefault(f"{name}_us", []).append(wall)
                figures.setdefault(f"{name}_cpu_us", []).append(cpu)
    finally:
        await broker.stop()
    return {name: round(statistics.median(values), 1) for name, values in figures.items()}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=4000)
    options = parser.parse_args()
    report.write("broker_overhead", uvloop.run(_measure(options.rounds, options.calls)))


if __name__ == "__main__":
    main()
