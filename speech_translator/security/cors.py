"""Pages of other sites that may ask us: none, but for the origins that are named (CORS).

Closed by default, and exact: an origin is compared as a whole, and there is no wildcard. Cookies
are never allowed along, and this service has none: a page needs a token, as any client does.

The boundary refuses other sites' pages whatever their browsers allow; it knows these origins, too.

Source: the Fetch standard, 3.2 (CORS protocol).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speech_translator.errors import ConfigurationError
from speech_translator.security.answer_headers import identified, with_headers

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_DEFAULT_PORTS = {("http", 80), ("https", 443)}

METHODS = ("DELETE", "GET", "POST")
ASKED_HEADERS = (
    *("Accept", "Authorization", "Content-Type", "Idempotency-Key"),
    *("Last-Event-ID", "X-API-Key", "X-Request-Timeout", "X-Share-Secret"),
)
"""What a page may send beyond what browsers let every page send."""

SHOWN_HEADERS = (
    *("Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Limit"),
    *("X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID", "X-Source-Language"),
)
"""What a page may read of an answer beyond its type and length."""

_MAX_AGE_S = 600


def parse_origins(texts: Iterable[str]) -> frozenset[str]:
    """Origins as browsers write them: scheme, name, and the port where it is not the usual one.

    Raises:
        ConfigurationError: one is a wildcard, or is no origin as a browser would write it.
    """
    origins = frozenset(texts)
    for origin in origins:
        if not _is_origin(origin):
            raise ConfigurationError(
                "CORS_ORIGINS must hold exact origins such as "
                '["https://app.example", "http://localhost:3000"], without a wildcard or a path.'
            )
    return origins


def _is_origin(text: str) -> bool:
    if _ORIGIN.fullmatch(text) is None:
        return False
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:  # a port beyond the last one
        return False
    return (parts.scheme, port) not in _DEFAULT_PORTS


@dataclass(frozen=True, slots=True)
class CorsConfig:
    """Who may ask, what they may send, and what they may read.

    Args:
        origins: see ``parse_origins``.
        methods: of requests; GET and POST need no asking for.
        asked_headers: of requests.
        shown_headers: of answers.
    """

    origins: frozenset[str]
    methods: tuple[str, ...] = METHODS
    asked_headers: tuple[str, ...] = ASKED_HEADERS
    shown_headers: tuple[str, ...] = SHOWN_HEADERS


class Cors:
    """Answers preflights of the named origins, and lets their pages read what is answered.

    Pure ASGI. Sockets are no matter of CORS: the boundary checks their ``Origin``.
    """

    def __init__(self, app: ASGIApp, config: CorsConfig) -> None:
        self._app = app
        self._origins = config.origins
        self._shown = (b"access-control-expose-headers", ", ".join(config.shown_headers).encode())
        self._preflight = [
            (b"access-control-allow-methods", ", ".join(config.methods).encode()),
            (b"access-control-allow-headers", ", ".join(config.asked_headers).encode()),
            (b"access-control-max-age", b"%d" % _MAX_AGE_S),
            (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asking = headers.getlist("origin")
        origin = asking[0] if len(asking) == 1 and asking[0] in self._origins else None
        if origin and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await self._answer(origin, with_headers(send, identified(scope)))
            return

        async def forward(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._readable(origin)]
            await send(message)

        await self._app(scope, receive, forward)

    def _readable(self, origin: str | None) -> list[tuple[bytes, bytes]]:
        """What lets a page read an answer; a cache must not give one origin's to another."""
        vary = (b"vary", b"Origin")
        if origin is None:
            return [vary]
        return [vary, (b"access-control-allow-origin", origin.encode()), self._shown]

    async def _answer(self, origin: str, send: Send) -> None:
        """What may be asked: the browser compares, and sends the request or does not."""
        allowed = (b"access-control-allow-origin", origin.encode())
        headers = [allowed, *self._preflight]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
