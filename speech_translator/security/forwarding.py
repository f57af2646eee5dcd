"""Who is behind a proxy: taken from its headers where the proxy is one of ours, and from no other.

Anybody can send ``X-Forwarded-For``. What a trusted proxy adds to it stands at its right end, so
the list is read from there: past the addresses of trusted proxies, to the first that is none. What
stands further left is what that client says of itself, and is not looked at. Where a trusted proxy
passes on something that is no address, nobody is believed beyond that proxy.

``X-Forwarded-For`` and ``-Proto`` come first; ``Forwarded`` (RFC 7239) counts only where there is
no ``X-Forwarded-For``, since a proxy that writes the one often passes the other on unread.

Fails closed: without trusted proxies nothing is believed. Other than uvicorn's middleware, this
reads ``Forwarded``, takes no text for an address, and refuses networks that are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from speech_translator.errors import ConfigurationError
from speech_translator.security.networks import (
    Address,
    Network,
    lies_in,
    parse_address,
    parse_networks,
)

_PROXIED = "proxied"
_SCHEMES = {
    "http": {"http": "http", "https": "https", "ws": "http", "wss": "https"},
    "websocket": {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"},
}
# An address, in brackets where it is IPv6, with a port or without (RFC 7239, 6).
_NODE = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*)):[0-9]{1,5}|\[([^\[\]]*)\]|([^\[\]]*)")
_PAIR = re.compile(r"\s*([A-Za-z]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*))\s*(?:;|\Z)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|[^",]+|,|"')
_MAX_HOPS = 32
"""Entries that are looked at, from the right; no chain of proxies is as long."""

_MAX_CHARS = 2048
"""Of ``Forwarded``, from the right: what stands before was not written by our proxies."""

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What the proxies say: the client's address, and its scheme, None where they do not say."""

    address: str
    scheme: str | None


def trusted_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The setting ``TRUSTED_PROXIES``, parsed.

    Raises:
        ConfigurationError: one is no network, or is every address there is.
    """
    networks = parse_networks(texts, "TRUSTED_PROXIES")
    if any(network.prefixlen == 0 for network in networks):
        raise ConfigurationError(
            "TRUSTED_PROXIES must name your proxies: with all addresses in it, anybody could claim "
            "to be anybody."
        )
    return networks


def forwarded(
    peer: str | None, headers: RawHeaders, proxies: Sequence[Network]
) -> Forwarded | None:
    """Who a request is from, by the word of trusted proxies; None where there are none to ask.

    Args:
        peer: address of the other end of the connection.
        headers: of the request, names in lower case, in the order in which they came.
        proxies: networks of trusted proxies.
    """
    nearest = parse_address(peer or "")
    if nearest is None or not lies_in(nearest, proxies):
        return None
    hops, schemes = _told(headers)
    address: Address = nearest
    passed = 0  # how many trusted proxies lie behind us, each of which wrote one entry
    for hop in reversed(hops):
        passed += 1
        found = _address(hop)
        if found is None:
            break
        address = found
        if not lies_in(found, proxies):
            break
    scheme = schemes[-min(max(passed, 1), len(schemes))] if schemes else ""
    return Forwarded(str(address), scheme.lower() or None)


def _told(headers: RawHeaders) -> tuple[list[str], list[str]]:
    """The entries for addresses and for schemes, each in the order of the way taken."""
    lists: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in {b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"}:
            lists.setdefault(name, []).append(value.decode("latin-1"))
    hops = _entries(lists.get(b"x-forwarded-for", ()))
    if hops:
        return hops, _entries(lists.get(b"x-forwarded-proto", ()))
    elements = [_pairs(element) for element in _elements(lists.get(b"forwarded", ()))]
    if elements:
        return [pairs.get("for", "") for pairs in elements], [
            pairs.get("proto", "") for pairs in elements
        ]
    return [], _entries(lists.get(b"x-forwarded-proto", ()))


def _entries(lines: Sequence[str]) -> list[str]:
    return [entry.strip() for entry in ",".join(lines).rsplit(",", _MAX_HOPS)] if lines else []


def _elements(lines: Sequence[str]) -> list[str]:
    """The elements of ``Forwarded``: commas within quotes part nothing."""
    if not lines:
        return []
    elements = [""]
    for part in _QUOTED.findall(",".join(lines)[-_MAX_CHARS:]):
        if part == ",":
            elements.append("")
        else:
            elements[-1] += part
    return elements[-_MAX_HOPS:]


def _pairs(element: str) -> dict[str, str]:
    """One element's parameters; none of one that is malformed."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(element.rstrip()):
        found = _PAIR.match(element, at)
        if found is None or found[1].lower() in pairs:
            return {}
        pairs[found[1].lower()] = found[2] if found[2] is not None else found[3]
        at = found.end()
    return pairs


def _address(node: str) -> Address | None:
    """The address of an entry, without its port; None for names, ``unknown`` and garbage."""
    bare = parse_address(node)
    if bare is not None:
        return bare
    found = _NODE.fullmatch(node)
    text = next((group for group in found.groups() if group), "") if found else ""
    return parse_address(text)


class ForwardedHeaders:
    """Gives each connection the address and the scheme of the client behind trusted proxies.

    The outermost middleware, so that all that follows sees the same client.

    Args:
        app: the rest of the application.
        proxies: see ``trusted_networks``.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[Network]) -> None:
        self._app = app
        self._proxies = tuple(proxies)
        self._trusted = lru_cache(maxsize=1024)(self._is_trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on as the client's."""
        if scope["type"] != "lifespan":
            peer = scope["client"][0] if scope.get("client") else None
            if self._trusted(peer):
                scope.setdefault("state", {})[_PROXIED] = True
                found = forwarded(peer, scope["headers"], self._proxies)
                if found is not None:
                    _apply(found, scope)
        await self._app(scope, receive, send)

    def _is_trusted(self, peer: str | None) -> bool:
        address = parse_address(peer or "")
        return address is not None and lies_in(address, self._proxies)


def _apply(found: Forwarded, scope: Scope) -> None:
    if found.address != scope["client"][0]:
        scope["client"] = (found.address, 0)
    scope["scheme"] = _SCHEMES[scope["type"]].get(found.scheme or "", scope["scheme"])


def direct_peer_of(connection: HTTPConnection) -> str | None:
    """The other end's address, where no trusted proxy stands between; None where one does.

    What is given to somebody at this machine alone is given by this address: a proxy on the same
    machine passes on what others ask, whether it says so or not.
    """
    if connection.scope.get("state", {}).get(_PROXIED):
        return None
    return connection.client.host if connection.client else None
