"""A load generator for loopback that costs little itself: keep-alive connections on asyncio.

Closed loop: each client sends its next request when it has the answer to the last one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What the clients saw. Latencies in seconds."""

    seconds: float = 0.0
    generator_cpu_s: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers with status 200 a second."""
        return self.statuses.get(200, 0) / self.seconds

    def percentile(self, share: float) -> float:
        """Latency that ``share`` of the requests stayed under."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def _one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str, body: bytes
) -> int:
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    lower = answer.lower()
    start = lower.index(b"content-length:") + 15
    await reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))
    return int(answer[9:12])


async def _client(
    port: int, head: str, bodies: Iterator[bytes], until: float, outcome: Outcome
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.monotonic() < until:
            begun = time.monotonic()
            status = await _one(reader, writer, head, next(bodies))
            outcome.latencies.append(time.monotonic() - begun)
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    finally:
        writer.close()


async def closed_loop(
    port: int,
    path: str,
    payloads: Iterator[dict[str, object]],
    *,
    key: str,
    clients: int,
    seconds: float,
) -> Outcome:
    """Send payloads from ``clients`` connections for ``seconds``, all with one key."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-API-Key: {key}\r\n"
    )
    bodies = (json.dumps(payload).encode() for payload in payloads)
    outcome = Outcome()
    begun, cpu = time.monotonic(), time.process_time()
    async with asyncio.timeout(seconds + 60), asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(port, head, bodies, begun + seconds, outcome))
    outcome.seconds = time.monotonic() - begun
    outcome.generator_cpu_s = time.process_time() - cpu
    return outcome
