"""The address of Redis, and how long it may take."""

from __future__ import annotations

import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.redis_client import RedisConfig, redis_client

WORD = "secret"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        f"redis://:{WORD}@localhost:port/0",
        "redis://localhost:99999/0",
        "redis://localhost/name",
        "redis://localhost?no_such_option=1",
        "unix://",
    ],
)
def test_what_is_no_address_is_said_at_once_and_not_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL must be") as refused:
        redis_client(RedisConfig(url))
    assert WORD not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["redis://localhost", f"rediss://user:{WORD}@host:6380/1", "unix:///run/redis?db=1"]
)
async def test_nobody_waits_long_and_nothing_is_sent_twice(url: str) -> None:
    async with redis_client(RedisConfig(url, timeout_s=0.25, max_connections=3)) as client:
        pool = client.connection_pool
        assert (pool.timeout, pool.max_connections) == (0.25, 3)
        connection = pool.make_connection()
        assert connection.socket_timeout == connection.socket_connect_timeout == 0.25
        assert connection.retry.get_retries() == 0
        assert not connection.retry_on_timeout


def test_the_address_is_not_shown() -> None:
    assert WORD not in repr(RedisConfig(f"redis://:{WORD}@host"))
