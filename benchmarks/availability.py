"""Two services behind NGINX under steady load, with a fault every half minute: what clients see.

Faults, in turn: an engine killed, an engine stopped (it hangs), Redis killed and started empty,
Redis stopped, a remote engine that fails, a service killed, a service restarted. Clients retry a
broken connection under the same ``Idempotency-Key``, and nothing else.

Bars: no request is lost or answered wrongly; at least 99.9 % are answered rightly (by a fallback,
too) or refused for the client's own reasons; full service is back within 5 s of the fault's end and
the engines' own time to load.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import report
from tests.support.nginx import nginx
from tests.support.openai_server import (
    KEY,
    Answer,
    OpenAiServer,
    Request,
    chat,
    error,
    openai_server,
)
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, redis_server
from tests.support.server import Server, start_server
from tests.support.traffic import MIXED, UNLIMITED, Client, Traffic, traffic

AVAILABILITY = 0.999
BACK_S = 5.0
LASTS_S = 5.0
"""How long a fault lasts that does not end by itself."""


@dataclass
class World:
    """All that runs, and may be broken."""

    environment: dict[str, str]
    ports: tuple[int, int]
    redis: RedisServer
    remote: OpenAiServer
    stack: contextlib.ExitStack
    servers: list[Server] = field(default_factory=list)
    loads_s: float = 0.0

    def start(self, index: int) -> None:
        """Start a service (again); returns when it is ready."""
        begun = time.monotonic()
        environment = {**self.environment, "PORT": str(self.ports[index])}
        server = self.stack.enter_context(start_server(environment, keyed=not self.servers))
        self.loads_s = max(self.loads_s, time.monotonic() - begun)
        self.servers[index : index + 1] = [server]

    def engine(self) -> psutil.Process:
        """An engine process of the first service."""
        return self.servers[0].engine_processes()[0]


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Two services that share a Redis and a database, and a remote engine before their own."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "tiers.toml").write_text(UNLIMITED)
        redis = stack.enter_context(redis_server())
        remote = stack.enter_context(openai_server())
        remote.handlers["chat/completions"] = faithful
        environment = {
            "DATA_DIR": str(folder),
            "TIERS_FILE": str(folder / "tiers.toml"),
            "REDIS_URL": f"unix://{redis.socket}",
            "REPLICAS": "2",
            "SYNTHESIZERS": "[]",
            "LIVE_SYNTHESIZERS": "[]",
            "TRANSLATORS": '["openai", "bergamot"]',
            "OPENAI_URL": remote.url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_TRANSLATION_MODEL": "a-model",
            "ENGINE_CALL_TIMEOUT_S": "5",
            "TRUSTED_HOSTS": '["127.0.0.1"]',
        }
        found = World(environment, (free_port(), free_port()), redis, remote, stack)
        for index in range(2):
            found.start(index)
        yield found


def faithful(request: Request) -> Answer:
    """A translation in which numbers stay."""
    text = str(request.json()["messages"][1]["content"])
    said = text.split(">\n", 1)[1].split("\n</", 1)[0]
    for english, portuguese in (
        ("The number of the house is", "O número da casa é"),
        ("is free", "está livre"),
        ("Room", "A sala"),
        ("Good morning", "Bom dia"),
    ):
        said = said.replace(english, portuguese)
    return chat(said)


async def engine_killed(world: World) -> None:
    """SIGKILL."""
    world.engine().kill()


async def engine_stopped(world: World) -> None:
    """SIGSTOP: it is found to hang and replaced, which ends the fault."""
    process = world.engine()
    process.send_signal(signal.SIGSTOP)
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def redis_killed(world: World) -> None:
    """And started again, empty."""
    world.redis.process.kill()
    world.redis.process.wait()
    await asyncio.sleep(LASTS_S)
    await asyncio.to_thread(world.redis.restart)


async def redis_stopped(world: World) -> None:
    """SIGSTOP, and on."""
    world.redis.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2 * LASTS_S)
    world.redis.process.send_signal(signal.SIGCONT)


async def remote_failing(world: World) -> None:
    """500, and 429."""
    for answer in (error(500, "Internal error"), error(429, "Slow down", retry_after="1")):
        world.remote.handlers["chat/completions"] = lambda _, given=answer: given
        await asyncio.sleep(LASTS_S)
    world.remote.handlers["chat/completions"] = faithful


async def service_killed(world: World) -> None:
    """SIGKILL, and started again by whoever watches it."""
    world.servers[1].process.kill()
    world.servers[1].process.wait()
    await asyncio.to_thread(world.start, 1)


async def service_restarted(world: World) -> None:
    """Both, one after the other."""
    for index in range(2):
        world.servers[index].process.terminate()
        await asyncio.to_thread(world.servers[index].process.wait, 60)
        await asyncio.to_thread(world.start, index)


FAULTS: tuple[Callable[[World], Awaitable[None]], ...] = (
    engine_killed,
    engine_stopped,
    redis_killed,
    redis_stopped,
    remote_failing,
    service_killed,
    service_restarted,
)


async def broken(world: World, url: str, rounds: int, every_s: float) -> dict[str, Any]:
    """Load through all faults, and what came of it."""
    client = Client(url, world.servers[0].headers, attempts=4, pause_s=0.05)
    found = []
    async with traffic(client, MIXED) as load:
        await asyncio.sleep(every_s / 2)
        for fault in itertools.islice(itertools.cycle(FAULTS), rounds * len(FAULTS)):
            begun = time.monotonic()
            await fault(world)
            ended = time.monotonic()
            await asyncio.sleep(max(every_s / 2, begun + every_s - time.monotonic()))
            found.append(
                {
                    "fault": fault.__name__,
                    "seconds": round(ended - begun, 1),
                    "back_after_s": round(back_after(load, ended), 2),
                    **{
                        verdict: n for verdict, n in load.count(begun).items() if verdict != "right"
                    },
                }
            )
            print(found[-1])
    counts = load.count()
    seconds = [one.seconds for one in load.outcomes]
    return {
        "requests": len(load.outcomes),
        "verdicts": dict(counts),
        "availability_percent": round(100 * load.availability(), 3),
        "bar_percent": 100 * AVAILABILITY,
        "median_s": round(statistics.median(seconds), 3),
        "slowest_s": round(max(seconds), 1),
        "engines_load_s": round(world.loads_s, 1),
        "faults": found,
        "bad": [f"{o.kind} {o.verdict} {o.detail}"[:160] for o in load.bad()[:10]],
        "holds": counts["lost"] == counts["wrong"] == 0
        and load.availability() >= AVAILABILITY
        and all(one["back_after_s"] <= BACK_S + world.loads_s for one in found),
    }


def back_after(load: Traffic, ended: float) -> float:
    """Seconds after the end of a fault until the last bad answer."""
    return max((o.ended - ended for o in load.bad() if o.ended > ended), default=0.0)


def main() -> int:
    """Measure, keep, and say whether the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="times that each fault is injected")
    parser.add_argument("--every-s", type=float, default=30.0)
    options = parser.parse_args()
    with world() as running, nginx(running.ports) as url:
        httpx.get(f"{url}/health/ready", trust_env=False).raise_for_status()
        found = asyncio.run(broken(running, url, options.rounds, options.every_s))
    report.write("availability", found)
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
