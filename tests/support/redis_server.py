"""A real Redis for tests, on a socket of its own: no port, no files that stay."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
import redis.asyncio as aioredis

from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_wire import RedisWire
from tests.support.ports import free_port


@dataclass
class RedisServer:
    """A running server; ``process`` can be stopped, killed and started again."""

    socket: Path
    process: subprocess.Popen[bytes]

    def client(self) -> aioredis.Redis:
        """A client with as many connections as a service has: more callers wait their turn."""
        pool = aioredis.BlockingConnectionPool(
            connection_class=aioredis.UnixDomainSocketConnection,
            path=str(self.socket),
            max_connections=16,
            timeout=5,
        )
        return aioredis.Redis.from_pool(pool)

    @contextlib.asynccontextmanager
    async def wire(self, *, timeout_s: float = 5.0) -> AsyncIterator[RedisWire]:
        """A wire that waits as long as a busy machine needs."""
        config = RedisConfig(f"unix://{self.socket}")
        async with redis_client(config) as client, RedisWire(client, timeout_s=timeout_s) as made:
            yield made

    def open_port(self, kind: str = "port") -> int:
        """Listen on a port of this machine, too; ``kind`` is ``port`` or ``tls-port``."""
        port = free_port()
        with self.connect() as client:
            client.config_set(kind, port)
        return port

    def connect(self) -> redis.Redis:
        """A client that blocks, to look at what is kept."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def restart(self) -> None:
        """Start again after its end, empty."""
        self.process = _start(self.socket)


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A server that lasts as long as the block."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(folder / "s", _start(folder / "s"))
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()
        shutil.rmtree(folder)


def _start(socket: Path) -> subprocess.Popen[bytes]:
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: `make test` installs it"
    process = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", socket.parent],
        stdout=subprocess.DEVNULL,
    )
    with redis.Redis(unix_socket_path=str(socket)) as client:
        for _ in range(1000):
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                return process
            time.sleep(0.01)
    process.kill()
    raise AssertionError("redis-server does not answer")
