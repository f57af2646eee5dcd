"""Networks that a setting names, and the addresses within them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from speech_translator.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(
    texts: Iterable[str], setting: str = "BOOTSTRAP_NETWORKS"
) -> tuple[Network, ...]:
    """Networks in CIDR notation, or single addresses.

    Args:
        texts: as the setting has them.
        setting: whose name the error tells.

    Raises:
        ConfigurationError: one of them is none.
    """
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        raise ConfigurationError(
            f'{setting} must hold networks such as ["127.0.0.0/8", "::1/128"].'
        ) from None


def parse_address(text: str) -> Address | None:
    """An address; an IPv4 one that came as IPv6 (``::ffff:192.0.2.1``) as what it is.

    None for anything else. The zone of a link-local address (``fe80::1%eth0``) is left out: it
    means something on one machine only.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def lies_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)
