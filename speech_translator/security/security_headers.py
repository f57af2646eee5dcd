"""What browsers are told about every answer: what a page may load, do and be put into.

Pure ASGI, for HTTP and for WebSocket handshakes, and made once: a request costs a look at the names
of its answer's headers::

    app.add_middleware(SecurityHeaders)

A route may bring a header of its own, such as a policy for its page; that one stands. Fails closed:
an answer that brings none gets the strictest, under which nothing loads and nothing frames it.

Sources: OWASP's HTTP headers cheat sheet, CSP level 3, RFC 6797 (HSTS), W3C Permissions Policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speech_translator.errors import ConfigurationError

Header = tuple[bytes, bytes]

_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
_SECURE = frozenset({"https", "wss"})
_UNSAFE = re.compile(r"'unsafe-(?:inline|eval|hashes)'", re.IGNORECASE)
_NO_HEADER = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class SecurityHeadersConfig:
    """What each answer says. Empty texts and 0 leave a header out.

    Args:
        content_security_policy: for answers that bring none of their own.
        referrer_policy: what links out of our pages tell where they lead.
        permissions_policy: what pages may use: the microphone, and the sound of a tab or a screen,
            our own page alone.
        cross_origin_opener_policy: which pages share a process with ours.
        cross_origin_resource_policy: which sites may embed an answer.
        hsts_max_age_s: how long browsers ask by TLS only, from an answer over TLS on.

    Raises:
        ConfigurationError: a value is no header's, or the policy lets inline code run.
    """

    content_security_policy: str = "default-src 'none'; frame-ancestors 'none'"
    referrer_policy: str = "no-referrer"
    permissions_policy: str = (
        "microphone=(self), display-capture=(self), accelerometer=(), camera=(), geolocation=(), "
        "gyroscope=(), magnetometer=(), midi=(), payment=(), usb=()"
    )
    cross_origin_opener_policy: str = "same-origin"
    cross_origin_resource_policy: str = "same-origin"
    hsts_max_age_s: int = 31_536_000

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in self._texts():
            if _NO_HEADER.search(value):
                raise ConfigurationError(f"The header {name} cannot have that value.")
        if _UNSAFE.search(self.content_security_policy):
            raise ConfigurationError("The content security policy must let no inline code run.")

    def headers(self) -> tuple[Header, ...]:
        """Those of every answer, by names in lower case."""
        return tuple((name.encode(), value.encode()) for name, value in self._texts() if value)

    def transport_header(self) -> Header | None:
        """What is said over TLS alone: a browser must not believe it otherwise (RFC 6797, 8.1)."""
        if not self.hsts_max_age_s:
            return None
        return b"strict-transport-security", b"max-age=%d" % self.hsts_max_age_s

    def _texts(self) -> tuple[tuple[str, str], ...]:
        return (
            ("content-security-policy", self.content_security_policy),
            ("x-frame-options", "DENY"),  # what browsers without frame-ancestors understand
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", self.referrer_policy),
            ("permissions-policy", self.permissions_policy),
            ("cross-origin-opener-policy", self.cross_origin_opener_policy),
            ("cross-origin-resource-policy", self.cross_origin_resource_policy),
        )


class SecurityHeaders:
    """Adds the headers to every answer, those of errors and refused handshakes among them.

    Stands behind ``ForwardedHeaders``, which knows whether a proxy took the request by TLS, and
    before whatever may answer.
    """

    def __init__(self, app: ASGIApp, config: SecurityHeadersConfig | None = None) -> None:
        config = config or SecurityHeadersConfig()
        transport = config.transport_header()
        self._app = app
        self._plain = config.headers()
        self._secure = (*self._plain, *([transport] if transport else []))
        self._names = frozenset(name for name, _ in self._secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        ours = self._secure if scope.get("scheme") in _SECURE else self._plain

        async def forward(message: Message) -> None:
            if message["type"] in _STARTS:
                headers: list[Header] = list(message.get("headers", ()))
                own = self._names.intersection([name.lower() for name, _ in headers])
                message["headers"] = headers + [one for one in ours if one[0] not in own]
            await send(message)

        await self._app(scope, receive, forward)
