"""What authentication, limits and metering add to a request, in CPU of the API's process.

The real application over scripted engines is called in the same process, without a socket, once as
it is and once with its guard and its meter replaced by ones that do nothing; in turn, many times.
The difference of CPU times is the claim, background work included: what was used is written to the
journal and added to the database meanwhile. A bare FastAPI echo of the same body is measured beside
them, and over Redis what no layer can save: two round trips of a script that does nothing, in the
same two places of a request without the layers. The exit status is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

from benchmarks import report
from speech_translator.security.audit_trail import Actor
from speech_translator.security.guard import Caller
from speech_translator.security.limits import Decision
from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire
from speech_translator.security.scopes import USUAL_SCOPES, Principal
from speech_translator.security.tiers import Tier, TierName
from tests.support.api import Harness, running
from tests.support.redis_server import redis_server

BARS_MS = {"memory": 0.15, "redis": 0.30}
_BODY = {"source_language": "en", "target_language": "pt"}
_LIMIT = 1_000_000_000
_TIERS = "\n".join(
    [
        "[pro]",
        f"requests_per_minute = {_LIMIT}",
        f"requests_per_day = {_LIMIT}",
        f"characters_per_minute = {_LIMIT}",
        f"characters_per_month = {_LIMIT}",
    ]
)
_numbers = itertools.count()


async def _nothing() -> None:
    """What is asked of Redis by default."""


class _NoGuard:
    """Lets everybody in, once something was asked."""

    def __init__(self, ask: Callable[[], Awaitable[object]] = _nothing) -> None:
        self._ask = ask
        who = Principal("nobody", "", TierName.ADMIN, USUAL_SCOPES)
        self._caller = Caller(who, "owner:nobody", Tier(TierName.ADMIN))

    async def admit(self, connection: Any, *_rest: object, **_more: object) -> Caller:
        await self._ask()
        connection.scope["state"]["limits"] = Decision(())
        return self._caller


class _NoReservation:
    """Takes nothing."""

    decision = Decision(())

    async def settle(self, **_used: object) -> None: ...

    async def cancel(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None: ...


class _NoMeter:
    """Counts nothing, once something was asked."""

    def __init__(self, ask: Callable[[], Awaitable[object]] = _nothing) -> None:
        self._ask = ask

    async def reserve(self, *_rest: object, **_more: object) -> _NoReservation:
        await self._ask()
        return _NoReservation()


async def _ask(app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]]) -> None:
    body = json.dumps({"text": f"Sentence {next(_numbers)}.", **_BODY}).encode()
    fields = [
        (b"host", b"localhost:8000"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": fields,
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
    }
    sent = False
    never = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await never
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise SystemExit(f"{path} answered {message['status']}")

    await app(scope, receive, send)  # type: ignore[arg-type]


async def _cpu_ms(app: ASGIApp, path: str, headers: list[Any], requests: int) -> float:
    begun = time.process_time()
    for _ in range(requests):
        await _ask(app, path, headers)
    return (time.process_time() - begun) / requests * 1000


@asynccontextmanager
async def _service(redis_url: str | None) -> AsyncIterator[tuple[Harness, str]]:
    """The application, and a key of its own."""
    with tempfile.TemporaryDirectory() as folder:
        tiers = Path(folder) / "tiers.toml"
        tiers.write_text(_TIERS, encoding="utf-8")
        options = {"data_dir": Path(folder) / "data", "anonymous_tier": None, "tiers_file": tiers}
        if redis_url:
            options["redis_url"] = redis_url
        async with running(cache_max_bytes=0, **options) as harness:
            accounts = await harness.app.state.api.accounts.get()
            key, _ = await accounts.create_key("ada", TierName.PRO, Actor("benchmark", "", ""))
            yield harness, key


@asynccontextmanager
async def _round_trip(redis_url: str) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """One to Redis and back, by the connection that the layers use."""
    async with redis_client(RedisConfig(redis_url)) as client, RedisWire(client) as wire:
        script = RedisScript(wire, "return 1")
        yield lambda: script(["a"], [1])


def _echo() -> FastAPI:
    app = FastAPI()

    @app.post("/echo")
    async def echo(body: dict[str, str]) -> dict[str, str]:
        return body

    return app


async def measure(redis_url: str | None, rounds: int, requests: int) -> dict[str, Any]:
    """CPU of a request, with and without the layers, in milliseconds."""
    async with AsyncExitStack() as stack:
        harness, key = await stack.enter_async_context(_service(redis_url))
        state = harness.app.state.api
        whole = (state.guard, state.metering.meter)
        bare = (_NoGuard(), _NoMeter())
        headers = [(b"x-api-key", key.encode())]
        echo = _echo()

        async def run(parts: tuple[Any, Any]) -> float:
            state.guard, state.metering.meter = parts
            return await _cpu_ms(harness.app, "/translate/text", headers, requests)

        steps: dict[str, Callable[[], Any]] = {
            "with": lambda: run(whole),
            "without": lambda: run(bare),
            "echo": lambda: _cpu_ms(echo, "/echo", [], requests),
        }
        if redis_url:
            ask = await stack.enter_async_context(_round_trip(redis_url))
            asking = (_NoGuard(ask), _NoMeter(ask))
            steps["trips"] = lambda: run(asking)
        figures: dict[str, list[float]] = {name: [] for name in steps}
        for number in range(rounds + 1):
            for name, step in steps.items():
                figure = await step()
                if number:  # the first round warms up
                    figures[name].append(figure)
        state.guard, state.metering.meter = whole

    def added_ms(name: str) -> float:
        pairs = zip(figures[name], figures["without"], strict=True)
        return round(statistics.median(a - b for a, b in pairs), 4)

    trips = {"two_round_trips_ms": added_ms("trips")} if redis_url else {}
    medians = {name: statistics.median(values) for name, values in figures.items()}
    return {
        "added_ms": added_ms("with"),
        **trips,
        **{f"{name}_ms": round(value, 4) for name, value in medians.items() if name != "trips"},
    }


def main() -> int:
    """Measure, keep, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=1_500)
    options = parser.parse_args()
    found = {"memory": uvloop.run(measure(None, options.rounds, options.requests))}
    with redis_server() as server:
        address = f"unix://{server.socket}"
        found["redis"] = uvloop.run(measure(address, options.rounds, options.requests))
    for name, bar in BARS_MS.items():
        figures = found[name]
        figures |= {
            "bar_ms": bar,
            "ratio_to_bar": round(figures["added_ms"] / bar, 3),
            "ratio_to_echo": round(figures["added_ms"] / figures["echo_ms"], 3),
            "holds": figures["added_ms"] <= bar,
        }
    report.write("security_overhead", found)
    return 0 if all(found[name]["holds"] for name in BARS_MS) else 1


if __name__ == "__main__":
    sys.exit(main())
