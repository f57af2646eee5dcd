"""Who gets a credential without one: somebody at this machine, or our own page there. Pure.

Fails closed: every condition must hold. The peer's address keeps out the network; ``Host`` keeps
out DNS rebinding, where a foreign name leads to loopback; ``Origin`` and ``Sec-Fetch-*``, which
every browser sends with a POST, keep out web pages; forwarding headers keep out what a proxy on
this machine passes on for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speech_translator.security.networks import Network, lies_in, parse_address

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"}
)


def is_local_operator(
    peer: str | None, headers: Mapping[str, str], networks: Sequence[Network]
) -> bool:
    """Whether a request comes from a person or script at this machine.

    Args:
        peer: address of the other end of the connection.
        headers: of the request, by names in lower case.
        networks: where that address must lie.
    """
    return _is_local(peer, headers, networks) and not any(
        name == "origin" or name.startswith("sec-fetch-") for name in headers
    )


def is_own_page(peer: str | None, headers: Mapping[str, str], networks: Sequence[Network]) -> bool:
    """Whether a request comes from the page that this service serves, opened at this machine.

    Args:
        peer: address of the other end of the connection.
        headers: of the request, by names in lower case.
        networks: where that address must lie.
    """
    return (
        _is_local(peer, headers, networks)
        and headers.get("origin", "").lower() == f"http://{headers.get('host', '')}".lower()
        and headers.get("sec-fetch-site", "same-origin") == "same-origin"
    )


def _is_local(peer: str | None, headers: Mapping[str, str], networks: Sequence[Network]) -> bool:
    """Peer and ``Host`` are this machine, and nobody forwards."""
    address = parse_address(peer or "")
    return (
        address is not None
        and lies_in(address, networks)
        and _hostname(headers.get("host", "")) in _LOCAL_HOSTS
        and not is_forwarded(headers)
    )


def is_forwarded(headers: Mapping[str, str]) -> bool:
    """Whether a proxy says that it passes a request on.

    Args:
        headers: of the request, by names in lower case.
    """
    return any(name in _FORWARDING or name.startswith("x-forwarded-") for name in headers)


def _hostname(host: str) -> str:
    """``Host`` without its port, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host.lower()
