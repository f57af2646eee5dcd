"""Several real servers over scripted engines that share a Redis, a database and a secret."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.redis_server import RedisServer
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
TEXT = {"text": "Hello.", "source_language": "en", "target_language": "pt"}


@contextlib.contextmanager
def replicas(
    count: int, redis: RedisServer, folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[list[Server]]:
    """Servers that listen; without keys of their own."""
    environment = {
        "REDIS_URL": f"unix://{redis.socket}",
        "REPLICAS": str(count),
        "DATA_DIR": str(folder),
        **(settings or {}),
    }
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(start_server(environment, keyed=False, arguments=SCRIPTED))
            for _ in range(count)
        ]


def make_key(server: Server, **fields: object) -> tuple[str, str]:
    """A new key and its id."""
    with server.client() as client:
        made = client.post("/auth/api-key", json={"user_id": "ada", "tier": "pro", **fields}).json()
    return made["api_key"], made["key_id"]


def translate(server: Server, credential: str) -> int:
    """The status of a request that makes the engines work."""
    with server.client(headers={"Authorization": f"Bearer {credential}"}) as client:
        return client.post("/translate/text", json=TEXT).status_code


def figure(server: Server, name: str, part: str) -> float:
    """A metric of what is shared."""
    with server.client(headers={"Accept": "application/json"}) as client:
        samples = client.get("/metrics").json()[f"speech_translator_{name}"]["samples"]
    return sum(sample["value"] for sample in samples if sample["labels"]["part"] == part)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return once it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Burst:
    """What came of requests that were all under way at the same time."""

    statuses: Counter[int]
    seconds: float


async def burst(servers: Sequence[Server], key: str, count: int) -> Burst:
    """Send ``count`` requests at once, to the servers in turn: all are connected before the first
    is sent, and all are sent before an answer is read."""
    body = json.dumps(TEXT).encode()
    request = (
        "POST /translate/text HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    ports = [int(server.url.rpartition(":")[2]) for server in servers]
    streams = [
        await asyncio.open_connection("127.0.0.1", ports[number % len(ports)])
        for number in range(count)
    ]
    begun = time.monotonic()
    for _, writer in streams:
        writer.write(request)
    answers = await asyncio.gather(*(reader.read() for reader, _ in streams))
    seconds = time.monotonic() - begun
    for _, writer in streams:
        writer.close()
    return Burst(Counter(int(answer[9:12]) for answer in answers), seconds)
