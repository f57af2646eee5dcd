"""Who may talk to us at all: a ``Host`` that is ours, and no other site's page.

A name that an attacker points at this machine (DNS rebinding) arrives with the attacker's name in
``Host``. A page of another site that makes its reader's browser send something to us is known by
``Sec-Fetch-Site`` and ``Origin``, which no page can forge or leave out. Fails closed.

Sources: Fetch Metadata (W3C), OWASP's cross-site request forgery cheat sheet, RFC 9110.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from speech_translator.errors import (
    CrossSiteRequest,
    InvalidRequest,
    SpeechTranslatorError,
    UntrustedHost,
)
from speech_translator.problems import problem_response
from speech_translator.security.cors import parse_origins
from speech_translator.settings import Settings

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 # compared with, not bound to
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BoundaryConfig:
    """Which names are ours.

    Args:
        hosts: lower-case names without a port; ``*`` takes any.
        any_address: take every IP address literal, as a server on all interfaces must; a
            rebinding attack always carries a name.
        origins: of other sites, whose pages may ask nevertheless; see ``security.cors``.
    """

    hosts: frozenset[str]
    any_address: bool = False
    origins: frozenset[str] = frozenset()

    @classmethod
    def from_settings(cls, settings: Settings) -> BoundaryConfig:
        """The names by which the settings say that we are reached."""
        names: Collection[str] = (
            "localhost",
            "127.0.0.1",
            "::1",
            settings.host,
            *settings.trusted_hosts,
        )
        return cls(
            frozenset(name.lower().strip("[]") for name in names) - _WILDCARDS,
            any_address=settings.host in _WILDCARDS,
            origins=parse_origins(settings.cors_origins),
        )


class Boundary:
    """Refuses foreign hosts and cross-site requests, on HTTP and on WebSocket."""

    def __init__(self, app: ASGIApp, config: BoundaryConfig) -> None:
        self._app = app
        self._config = config
        self._trusted = lru_cache(maxsize=256)(self._is_trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        response = problem_response(refusal, scope.get("state", {}).get("request_id", ""))
        if scope["type"] == "websocket" and "websocket.http.response" not in scope.get(
            "extensions", {}
        ):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
            return
        await response(scope, receive, send)

    def _refusal(self, scope: Scope) -> SpeechTranslatorError | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (not hosts and scope.get("http_version") not in {"1.0", "2", "3"}):
            return InvalidRequest("The request must have one Host header.")
        host = hosts[0] if hosts else ""
        if hosts and not self._trusted(host):
            return UntrustedHost(
                "This server does not answer under that host name; the operator can add it to "
                "TRUSTED_HOSTS."
            )
        crosses = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if crosses and not self._is_named(headers) and _is_cross_site(headers, host):
            return CrossSiteRequest("Requests on behalf of other sites are refused.")
        return None

    def _is_named(self, headers: Headers) -> bool:
        """Whether it is sent by a page of another site that may ask."""
        origins = headers.getlist("origin")
        return len(origins) == 1 and origins[0] in self._config.origins

    def _is_trusted(self, host: str) -> bool:
        name = _host_name(host)
        if name is None:
            return False
        if "*" in self._config.hosts or name in self._config.hosts:
            return True
        return self._config.any_address and _is_address(name)


def _host_name(host: str) -> str | None:
    """The name in ``Host`` without port and brackets, in lower case; None when malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is not a number
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or parts.hostname is None:
        return None
    return parts.hostname.rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_cross_site(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site's page sent this."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        page, ours = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS.get(page.scheme)
        same = (page.hostname, page.port or default) == (ours.hostname, ours.port or default)
    except ValueError:  # a port that is no number
        return True
    return not same
