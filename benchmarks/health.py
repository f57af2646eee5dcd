"""How long ``GET /health`` takes while everything that the service depends on hangs.

A production service over a real broker and engine process, Redis and PostgreSQL. It is asked over
one connection, without a key, with an administrator's key that was seen, and with one that nobody
has seen, so that it would have to be looked up: while all is well, under a load of translations,
and while the engine process, Redis and PostgreSQL are stopped (SIGSTOP), one by one and all.

In turn with each, ``GET /health/live`` is asked, which does nothing at all: what that takes is the
machine's, and whoever else works on it. The bar: the 99th percentile of ``/health`` is at most
50 ms above that of ``/health/live``, and below 50 ms where the machine is free. The exit status is
1 where the former is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import psutil

from benchmarks import report
from speech_translator.security.api_keys import generate
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.redis_server import RedisServer, redis_server
from tests.support.server import ROOT, Server, start_server

BAR_MS = 50.0
PROGRAM = ("-m", "tests.support.engine_service")
PEPPER = "only for this benchmark, and long enough"
_CLIENTS = 32


def administrators_key(environment: dict[str, str]) -> str:
    """Made by the command line, as an operator does."""
    program = "from speech_translator.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "keys", "create", "root", "--tier", "admin"],
        env={**environment, "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]


async def asked(server: Server, headers: dict[str, str], count: int) -> dict[str, float]:
    """Milliseconds of the answers to both."""
    taken: dict[str, list[float]] = {"/health": [], "/health/live": []}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
        await client.get("/health")  # opens the connection
        for _ in range(count):
            for path, times in taken.items():
                begun = time.perf_counter()
                await client.get(path)
                times.append((time.perf_counter() - begun) * 1000)
    health, live = (sorted(times) for times in taken.values())
    return {
        "median_ms": round(health[len(health) // 2], 2),
        "p99_ms": round(health[int(len(health) * 0.99)], 2),
        "slowest_ms": round(health[-1], 2),
        "live_p99_ms": round(live[int(len(live) * 0.99)], 2),
        "live_slowest_ms": round(live[-1], 2),
    }


@contextlib.contextmanager
def stopped(*processes: psutil.Process) -> Iterator[None]:
    """They hang for as long as the block lasts."""
    family = [one for process in processes for one in (process, *process.children(recursive=True))]
    for one in family:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def loaded(server: Server, key: str) -> AsyncIterator[None]:
    """Clients that translate one text after the other."""

    async def client(number: int) -> None:
        async with server.async_client(headers={"X-API-Key": key}) as http:
            for count in range(10**9):
                text = f"text {number} {count}"
                body = {"text": text, "source_language": "en", "target_language": "pt"}
                await http.post("/translate/text", json=body)

    tasks = [asyncio.create_task(client(number)) for number in range(_CLIENTS)]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def processes(
    server: Server, redis: RedisServer, postgres: PostgresServer
) -> dict[str, list[psutil.Process]]:
    """What is stopped, by the name of the case."""
    engines = [
        process
        for process in psutil.Process(server.process.pid).children(recursive=True)
        if "engine_process" in " ".join(process.cmdline())
    ]
    postmaster = int((postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
    found = {
        "engine stopped": engines,
        "redis stopped": [psutil.Process(redis.process.pid)],
        "database stopped": [psutil.Process(postmaster)],
    }
    return {**found, "all stopped": [one for each in found.values() for one in each]}


async def measure(
    server: Server, redis: RedisServer, postgres: PostgresServer, key: str, count: int
) -> dict[str, dict[str, float]]:
    """Figures by case and by who asks."""
    figures = {}

    async def case(name: str) -> None:
        who = {"nobody": {}, "known": {"X-API-Key": key}, "unseen": {"X-API-Key": ""}}
        for caller, headers in who.items():
            sent = {"X-API-Key": generate().text} if caller == "unseen" else headers
            figures[f"{name}, {caller}"] = await asked(server, sent, count)

    await case("idle")
    async with loaded(server, key):
        await case("under load")
    for name, family in processes(server, redis, postgres).items():
        with stopped(*family):
            await asyncio.sleep(1)
            await case(name)
        await asyncio.sleep(3)
    return figures


def main() -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="answers of each case")
    count = parser.parse_args().count
    with (
        tempfile.TemporaryDirectory() as data,
        postgres_server() as postgres,
        redis_server() as redis,
    ):
        environment = {
            "ENVIRONMENT": "production",
            "SECRET_PEPPER": PEPPER,
            "DATA_DIR": data,
            "DATABASE_URL": postgres.create("health"),
            "REDIS_URL": f"unix://{redis.socket}",
            "ENGINE_OPTIONS": json.dumps({"seconds": 0.002}),
            "HEALTH_ENGINE_IDLE_S": "1",
        }
        key = administrators_key({**environment, "PYTHONPATH": str(ROOT), "HOME": data})
        with start_server(environment, arguments=PROGRAM, keyed=False) as server:
            figures = asyncio.run(measure(server, redis, postgres, key, count))
    worst = round(max(one["p99_ms"] - one["live_p99_ms"] for one in figures.values()), 2)
    report.write("health", {"bar_ms": BAR_MS, "worst_above_live_ms": worst, "cases": figures})
    return 0 if worst < BAR_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
