"""What a circuit breaker costs: a call of a closed one, a refusal of an open one.

The refusal is measured through the whole service, over HTTP: its only translator is a server that
answers every request but the first with an error, so that the breaker of that engine opens, and
from then on requests get a 503 ``circuit_open``. ``/health/live`` is asked in turn with them, which
does nothing: how late that is on a busy machine says how much of a late refusal is the machine's.
The rest is CPU of this process: a guarded call of a function that does nothing, less the bare call,
sync and async, in memory and shared over a Redis on this machine; and the same of a retry that has
nothing to repeat. The exit status is 1 where the bar is missed by the median.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from benchmarks import report, service
from speech_translator.errors import CircuitOpen
from speech_translator.reliability import (
    BreakerConfig,
    CircuitBreaker,
    Deadline,
    RetryHandler,
    Sharing,
)
from speech_translator.reliability.breaker_sharing import SCRIPT
from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire
from tests.support.openai_server import KEY, error, model, openai_server
from tests.support.redis_server import redis_server

BAR_MS = 5.0
_MOST_OPENING = 100
"""Requests within which the breaker must have opened."""


async def _nothing() -> None:
    pass


def _nothing_sync() -> None:
    pass


def _refused(breaker: CircuitBreaker) -> None:
    try:
        breaker.call_sync(_nothing_sync)
    except CircuitOpen:
        return
    raise AssertionError("the breaker is not open")


def _sync_us(call: Callable[[], object], count: int) -> float:
    begun = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - begun) / count * 1e6


async def _async_us(call: Callable[[], Awaitable[object]], count: int) -> float:
    begun = time.process_time()
    for _ in range(count):
        await call()
    return (time.process_time() - begun) / count * 1e6


async def _costs(count: int) -> dict[str, float]:
    """Microseconds a call; bare ones are taken off."""
    closed, opened = CircuitBreaker("closed"), CircuitBreaker("open", BreakerConfig(open_s=3600))
    opened.trip_sync()
    retries, deadline = RetryHandler("retried"), Deadline.after(3600)
    bare_sync, bare = _sync_us(_nothing_sync, count), await _async_us(_nothing, count)
    figures = {
        "closed_sync_us": _sync_us(lambda: closed.call_sync(_nothing_sync), count) - bare_sync,
        "closed_async_us": await _async_us(lambda: closed.call(_nothing), count) - bare,
        "open_refusal_us": _sync_us(lambda: _refused(opened), count),
        "retry_without_failure_us": await _async_us(
            lambda: retries.call(_nothing, deadline, idempotent=True), count
        )
        - bare,
    }
    lost: list[str | None] = []
    with redis_server() as server:
        config = RedisConfig(f"unix://{server.socket}")
        async with redis_client(config) as client, RedisWire(client) as wire:
            sharing = Sharing(RedisScript(wire, SCRIPT), listener=lost.append)
            shared = CircuitBreaker("shared", BreakerConfig(open_s=3600), sharing=sharing)
            figures["closed_shared_us"] = await _async_us(
                lambda: shared.call(_nothing), max(1, count // 50)
            )
            await shared.trip()

            async def refused() -> None:
                try:
                    await shared.call(_nothing)
                except CircuitOpen:
                    return
                raise AssertionError("the breaker is not open")

            figures["open_shared_refusal_us"] = await _async_us(refused, count)
    if lost:
        raise RuntimeError(f"Redis did not answer: {lost}")
    return figures


def _live(connection: http.client.HTTPConnection) -> float:
    """Milliseconds of a request for which nothing is done."""
    begun = time.perf_counter()
    connection.request("GET", "/health/live")
    connection.getresponse().read()
    return (time.perf_counter() - begun) * 1000


def _ask(connection: http.client.HTTPConnection, key: str, number: int) -> tuple[float, str]:
    """Milliseconds of one request, and its error's code."""
    body = json.dumps(
        {"text": f"Train number {number}.", "source_language": "en", "target_language": "pt"}
    )
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    begun = time.perf_counter()
    connection.request("POST", "/translate/text", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    took = (time.perf_counter() - begun) * 1000
    if answer.status == http.client.SERVICE_UNAVAILABLE and not answer.headers["Retry-After"]:
        raise AssertionError("a 503 without Retry-After")
    return took, str(json.loads(content).get("code"))


def _refusals(count: int) -> dict[str, float]:
    """Through the service: milliseconds of requests that an open breaker refuses."""
    with openai_server() as server:
        environment = {
            "TRANSLATORS": '["openai"]',
            "OPENAI_URL": server.url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_TRANSLATION_MODEL": "a-model",
            "HEALTH_ENGINE_IDLE_S": "0",  # only what is measured asks the server
        }
        server.handlers["chat/completions"] = model
        with service.running(environment) as running:
            connection = http.client.HTTPConnection("127.0.0.1", running.port)
            # Whoever has used nothing so far is looked up in the database by every request.
            _ask(connection, running.key, 0)
            server.handlers["chat/completions"] = lambda _request: error(500, "broken")
            numbers = iter(range(1, 10 * count + _MOST_OPENING))
            opening = [_ask(connection, running.key, next(numbers)) for _ in range(_MOST_OPENING)]
            if opening[-1][1] != CircuitOpen.code:
                raise AssertionError(f"the breaker did not open: {opening[-1]}")
            refused: list[float] = []
            idle: list[float] = []
            probes, cpu = 0, running.cpu_s()["server"]
            while len(refused) < count:
                took, code = _ask(connection, running.key, next(numbers))
                if code == CircuitOpen.code:
                    refused.append(took)
                    idle.append(_live(connection))
                else:
                    probes += 1  # it failed as those before: the breaker stays open
            cpu = running.cpu_s()["server"] - cpu
            connection.close()
    return {
        **_spread("through_service", refused),
        **_spread("health_live", idle),
        "server_cpu_of_both_ms": cpu / count * 1000,
        "refused": len(refused),
        "probes": probes,
        "opened_after_failures": sum(code != CircuitOpen.code for _, code in opening),
    }


def _spread(name: str, times: list[float]) -> dict[str, float]:
    quantiles = statistics.quantiles(times, n=100)
    return {
        f"{name}_median_ms": statistics.median(times),
        f"{name}_p95_ms": quantiles[94],
        f"{name}_p99_ms": quantiles[98],
        f"{name}_longest_ms": max(times),
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    rounds = [uvloop.run(_costs(options.calls)) for _ in range(options.rounds)]
    figures = {name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]}
    through = {name: round(value, 3) for name, value in _refusals(options.requests).items()}
    report.write("breaker_overhead", {"bar_ms": BAR_MS, **through, **figures})
    if through["through_service_median_ms"] >= BAR_MS:
        sys.exit(1)


if __name__ == "__main__":
    main()
