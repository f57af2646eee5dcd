"""What a service and its processes hold over time: memory, descriptors, threads, tasks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

from tests.support.server import Server

MIB = 1 << 20


@dataclass
class Series:
    """Figures of one process. Times are seconds, memory is MiB."""

    name: str
    times: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def slope(self, since: float) -> float:
        """Growth of its resident memory, in MiB a minute, by a straight line fitted to it.

        Args:
            since: where the line begins, in seconds.
        """
        late = [(t, m) for t, m in zip(self.times, self.memory, strict=True) if t >= since]
        times, memory = zip(*late, strict=True)
        return 60 * float(np.polyfit(times, memory, 1)[0])

    def more_descriptors(self, since: float) -> int:
        """Median of the last quarter against that of the first one, from ``since`` on."""
        late = [d for t, d in zip(self.times, self.descriptors, strict=True) if t >= since]
        quarter = max(1, len(late) // 4)
        return int(np.median(late[-quarter:]) - np.median(late[:quarter]))


@dataclass
class Watch:
    """Samples of every process, and the tasks of the service itself."""

    server: Server
    processes: dict[int, Series] = field(default_factory=dict)
    tasks: list[tuple[float, float]] = field(default_factory=list)

    async def run(self, seconds: float, every_s: float = 2.0) -> None:
        """Look for so long."""
        begun = time.monotonic()
        async with self.server.async_client(headers={"Accept": "application/json"}) as client:
            while (now := time.monotonic() - begun) < seconds:
                await asyncio.to_thread(self._look, now)
                figures = (await client.get("/metrics")).json()
                (sample,) = figures["speech_translator_event_loop_tasks"]["samples"]
                self.tasks.append((now, sample["value"]))
                await asyncio.sleep(every_s)

    def more_tasks(self, since: float) -> float:
        """As ``Series.more_descriptors``."""
        late = [count for at, count in self.tasks if at >= since]
        quarter = max(1, len(late) // 4)
        return float(np.median(late[-quarter:]) - np.median(late[:quarter]))

    def lasting(self, seconds: float) -> Sequence[Series]:
        """Processes that were there for so long."""
        return [one for one in self.processes.values() if one.times[-1] - one.times[0] >= seconds]

    def _look(self, now: float) -> None:
        for process in self.server.processes():
            with contextlib.suppress(psutil.Error):
                series = self.processes.get(process.pid)
                if series is None:
                    name = " ".join(process.cmdline()[1:4])
                    series = self.processes[process.pid] = Series(name)
                memory, descriptors = process.memory_info().rss / MIB, process.num_fds()
                series.times.append(now)
                series.memory.append(memory)
                series.descriptors.append(descriptors)
