"""The one place that makes a client of Redis: for the path of requests, where nobody waits long.

redis-py's own defaults wait 5 s for a Redis that is stopped, try ten times more, and raise
once 100 connections are in use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from speech_translator.errors import ConfigurationError

ANSWER_S = 0.5
"""Seconds in which Redis must answer what a request waits for; see ``Patience``."""


@dataclass(frozen=True, slots=True)
class RedisConfig:
    """Where Redis is, and how long it may take; times are seconds.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; options of redis-py in its query stand over
            what is said here.
        timeout_s: for a connection, for an answer, and for a connection that others use. It stands
            behind ``ANSWER_S``: its timers are late on a busy loop, and blind then.
        max_connections: at the same time; more callers wait their turn. What requests wait for
            takes none of them: see ``RedisWire``.
    """

    url: str = field(repr=False)
    timeout_s: float = 2.0
    max_connections: int = 16


def redis_client(config: RedisConfig) -> Redis:
    """A client; whoever asks for it closes it by ``aclose``. Nothing is connected before its use.

    Raises:
        ConfigurationError: the address is none. The message does not quote it: it may hold a
            password.
    """
    try:
        _check(config.url)
        pool = BlockingConnectionPool.from_url(
            config.url,
            max_connections=config.max_connections,
            timeout=config.timeout_s,
            socket_timeout=config.timeout_s,
            socket_connect_timeout=config.timeout_s,
            # A debit that was perhaps made must not be made again.
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        pool.make_connection()  # type: ignore[no-untyped-call]  # an unknown option is found here, and not by a request
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError(
            "REDIS_URL must be an address such as redis://host:6379/0, rediss://host:6380/0 or "
            "unix:///path/to/socket, with user and password before the host where they are needed."
        ) from None
    return Redis.from_pool(pool)


def _check(url: str) -> None:
    """Raise ValueError for what redis-py takes silently for something else."""
    address = urlsplit(url)
    if address.scheme == "unix" and not address.path:
        raise ValueError("no path")
    if address.scheme != "unix" and address.path.strip("/"):
        int(address.path.strip("/"))  # the database's number
