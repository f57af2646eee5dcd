"""Whether usage sums exactly when requests are sent again and services are stopped meanwhile.

Requests with an ``Idempotency-Key`` each, all at once, go to two real services over scripted
engines on one PostgreSQL. While they run, each service in turn gets a signal and is started again.
A client repeats its request under the same key until it has an answer, whatever comes in between:
a refused connection, a 503 of a service that stops, a 409 while it is done elsewhere. Some are sent
twice at once, some are given up by an impatient client, and some are sent once more after the
answer, which must be the same.

The bar: stopped by SIGTERM or killed by SIGKILL, what the database holds is exactly one request and
its characters for each key. The exit status is 1 where it is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import report
from speech_translator.storage import Database, DatabaseConfig, UsageStore
from speech_translator.storage.usage import Totals
from tests.support.postgres_server import postgres_server
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
PEPPER = "only for this benchmark, and long"
TIER = """[enterprise]
requests_per_minute = 1_000_000
characters_per_minute = 10_000_000
"""
_IMPATIENT_S = 0.05
_PAUSE_S = 0.1
_LONGEST_S = 120.0
_PATIENT_S = 30.0


@dataclass
class Run:
    """What happened. ``seen`` counts answers by status, and requests without one."""

    count: int
    seen: Counter[str] = field(default_factory=Counter)
    differing: int = 0
    seconds: float = 0.0
    used: Totals = field(default_factory=Totals)

    @property
    def expected(self) -> Totals:
        """One request for each key, and its characters."""
        return Totals(self.count, sum(len(text_of(number)) for number in range(self.count)), 0)

    @property
    def exact(self) -> bool:
        """Whether usage is what it must be, and nobody got another answer than before."""
        return self.used == self.expected and not self.differing

    def figures(self) -> dict[str, Any]:
        """The run as it is kept."""
        return {
            "requests": self.count,
            "expected": {"requests": self.count, "characters": self.expected.characters},
            "used": {"requests": self.used.requests, "characters": self.used.characters},
            "exact": self.exact,
            "differing_answers": self.differing,
            "seen": dict(sorted(self.seen.items())),
            "seconds": round(self.seconds, 2),
        }


def text_of(number: int) -> str:
    """A text of its own for each request, so that no cache answers it."""
    return f"text number {number:06}"


class Fleet:
    """Services on one database, each with a folder of its own."""

    def __init__(self, environments: list[dict[str, str]], stack: contextlib.ExitStack) -> None:
        self._environments = environments
        self._stack = stack
        self.servers = [self._start(number) for number in range(len(environments))]
        self.headers = {"X-API-Key": self.servers[0].make_key()}

    async def interrupt(self, number: int, signal_number: int) -> None:
        """Signal a service, wait for its end, and start it again."""
        server = self.servers[number]
        server.process.send_signal(signal_number)
        await asyncio.to_thread(server.process.wait)
        self.servers[number] = await asyncio.to_thread(self._start, number)

    def stop(self) -> None:
        """Stop all: what is still in their journals goes to the database."""
        for server in self.servers:
            server.stop()

    def _start(self, number: int) -> Server:
        started = start_server(self._environments[number], keyed=False, arguments=SCRIPTED)
        return self._stack.enter_context(started)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said."""

    status: int
    replayed: bool
    body: bytes


async def post(url: str, headers: Mapping[str, str], body: dict[str, str]) -> Answer:
    """One request on a connection of its own.

    A pool that many wait for, with requests given up in between, would be measured in its place.
    """
    address = urlsplit(url)
    content = json.dumps(body).encode()
    sent = {
        "Host": address.netloc,
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(f"POST {address.path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answered.partition(b"content-length:")[2].partition(b"\r\n")[0])
        found = await reader.readexactly(length)
        return Answer(int(answered[9:12]), b"idempotency-replayed: true" in answered, found)
    finally:
        writer.close()


class Clients:
    """Who asks until there is an answer."""

    def __init__(self, fleet: Fleet, run: Run) -> None:
        self._fleet = fleet
        self._run = run

    async def request(self, number: int) -> None:
        """One request in all its repetitions."""
        senders = 2 if number % 5 == 0 else 1
        answers = await asyncio.gather(*(self._answer(number, at) for at in range(senders)))
        if number % 3 == 0:
            answers.append(await self._answer(number, 1))
        self._run.differing += len(set(answers)) - 1

    async def _answer(self, number: int, first: int) -> bytes:
        until = time.monotonic() + _LONGEST_S
        attempt = first
        while time.monotonic() < until:
            impatient = number % 7 == 0 and attempt == first
            try:
                async with asyncio.timeout(_IMPATIENT_S if impatient else _PATIENT_S):
                    answer = await self._post(number, attempt)
            except (OSError, EOFError, TimeoutError) as error:
                self._run.seen[type(error).__name__] += 1
            else:
                self._count(answer)
                if answer.status == HTTPStatus.OK:
                    return answer.body
            attempt += 1
            await asyncio.sleep(_PAUSE_S)
        raise TimeoutError(f"no answer for {_LONGEST_S} s: {self._run.seen}")

    async def _post(self, number: int, attempt: int) -> Answer:
        servers = self._fleet.servers
        return await post(
            f"{servers[(number + attempt) % len(servers)].url}/translate/text",
            {**self._fleet.headers, "Idempotency-Key": f"key-{number}"},
            {"text": text_of(number), "source_language": "en", "target_language": "pt"},
        )

    def _count(self, answer: Answer) -> None:
        if answer.status != HTTPStatus.OK:
            self._run.seen[json.loads(answer.body)["code"]] += 1
            return
        self._run.seen["replayed" if answer.replayed else "answered"] += 1


async def drive(fleet: Fleet, count: int, signal_number: int) -> Run:
    """All requests at once, and a signal for each service in turn."""
    run = Run(count)
    began = time.monotonic()
    clients = Clients(fleet, run)
    async with _signals(fleet, run, signal_number):
        await asyncio.gather(*(clients.request(number) for number in range(count)))
    run.seconds = time.monotonic() - began
    return run


@contextlib.asynccontextmanager
async def _signals(fleet: Fleet, run: Run, signal_number: int) -> AsyncIterator[None]:
    """Interrupt each service once its part of the requests is answered."""

    async def interrupt() -> None:
        for number in range(len(fleet.servers)):
            part = run.count * (number + 1) // (len(fleet.servers) + 1)
            while run.seen["answered"] < part:  # noqa: ASYNC110 # other tasks count it
                await asyncio.sleep(0.005)
            await fleet.interrupt(number, signal_number)

    interrupting = asyncio.create_task(interrupt())
    try:
        yield
        await interrupting
    finally:
        interrupting.cancel()


async def totals(url: str) -> Totals:
    """What the database holds."""
    database = Database(DatabaseConfig(url))
    try:
        return await UsageStore(database).totals(first="0000-00-00", last="9999-99-99")
    finally:
        await database.close()


@contextlib.contextmanager
def fleet_of(size: int, url: str, folder: Path) -> Iterator[Fleet]:
    """Services that share a database; each keeps its journal in a folder of its own."""
    tiers = folder / "tiers.toml"
    tiers.write_text(TIER)
    common = {
        "DATABASE_URL": url,
        "SECRET_PEPPER": PEPPER,
        "TIERS_FILE": str(tiers),
        # What was translated for a client that left is in the cache when it is sent again.
        "BILL_CACHED": "true",
    }
    with contextlib.ExitStack() as stack:
        folders = [str(folder / f"service-{number}") for number in range(size)]
        yield Fleet([{**common, "DATA_DIR": each} for each in folders], stack)


def measured(url: str, folder: Path, count: int, signal_number: int, services: int = 2) -> Run:
    """One run on an empty database."""
    with fleet_of(services, url, folder) as fleet:
        run = asyncio.run(drive(fleet, count, signal_number))
        fleet.stop()
    run.used = asyncio.run(totals(url))
    return run


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="requests at once")
    options = parser.parse_args()
    runs: dict[str, Run] = {}
    with postgres_server() as postgres:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with tempfile.TemporaryDirectory() as folder:
                url = postgres.create(number.name.lower())
                runs[number.name] = measured(url, Path(folder), options.count, number)
    holds = all(run.exact for run in runs.values())
    figures = {name: run.figures() for name, run in runs.items()}
    bar = "usage is exactly one request and its characters for each key"
    report.write("metered_retries", {"bar": bar, "holds": holds, "runs": figures})
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
