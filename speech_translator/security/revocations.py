"""What other replicas must hear at once: a key that has changed, a token that was closed.

Fails open for so long as a look-up is believed: a replica that hears nothing, because there is no
Redis or because it is away, believes what it looked up for ``AuthConfig.cache_s``. A revocation
stands whether or not it can be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A key was revoked, or got another end."""

    key_id: str


@dataclass(frozen=True, slots=True)
class TokenClosed:
    """A token was closed before its end."""


@dataclass(frozen=True, slots=True)
class ChangesMissed:
    """Something may have been told that was not heard: nothing that is remembered can be believed.

    Heard whenever a replica begins to listen, and in the place of what it does not understand.
    """


Change = KeyChanged | TokenClosed | ChangesMissed
Hear = Callable[[Change], None]


class Revocations(Protocol):
    """Between the replicas of a service."""

    async def tell(self, change: Change) -> None:
        """Tell every replica. Never raises: what cannot be told is counted."""
        ...

    async def listen(self, hear: Hear) -> None:
        """Hear what others tell, until it is cancelled."""
        ...


class NoRevocations:
    """There are no others, or no way to reach them."""

    async def tell(self, change: Change) -> None:
        """See ``Revocations``."""

    async def listen(self, hear: Hear) -> None:
        """See ``Revocations``."""
