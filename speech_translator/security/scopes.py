"""What a credential opens, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from speech_translator.errors import Forbidden, InvalidField, Unauthenticated
from speech_translator.security.key_limits import KeyLimits
from speech_translator.security.tiers import TierName


class Scope(StrEnum):
    """What a key or token may be used for."""

    TRANSLATE = "translate"
    TRANSCRIBE = "transcribe"
    SPEECH = "speech"
    STREAM = "stream"
    METRICS = "metrics"
    ADMIN = "admin"


USUAL_SCOPES = frozenset({Scope.TRANSLATE, Scope.TRANSCRIBE, Scope.SPEECH, Scope.STREAM})
"""Of a key that names none: all of the product, and nothing of its operation."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: an owner, by one of their keys. Only ``admin`` sees what others own.

    ``token_id`` is that of the token that stood for the key; None where the key itself was given.
    ``limits`` are the key's own; ``counts_as`` is the id that they are counted under, where that is
    another key's, which this one took the place of. ``confined`` is the holder of a client secret,
    who is somebody else than the owner: nothing is open to them but what their scopes name.
    """

    owner: str
    key_id: str
    tier: TierName
    scopes: frozenset[Scope]
    token_id: str | None = None
    limits: KeyLimits | None = None
    counts_as: str | None = None
    confined: bool = False

    @property
    def key_subject(self) -> str:
        """Whose allowance the key's own limits are."""
        return f"key:{self.counts_as or self.key_id}"

    @property
    def is_admin(self) -> bool:
        """Whether everything is open."""
        return Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Refuse what the credential does not open.

        Raises:
            Forbidden: it lacks the scope.
        """
        if scope not in self.scopes and not self.is_admin:
            raise Forbidden(f"This needs a key with the scope `{scope}`.", scope=str(scope))

    def may_make(self, tier: TierName, scopes: Iterable[Scope]) -> bool:
        """Whether a credential of that tier and with those scopes opens no more than this one."""
        order = list(TierName)
        return self.is_admin or (
            self.scopes >= frozenset(scopes) and order.index(tier) <= order.index(self.tier)
        )

    def require_key(self) -> None:
        """Refuse a token: one that leaked makes nothing that outlives it.

        Raises:
            Forbidden: a token was given.
        """
        if self.token_id is not None:
            raise Forbidden("This needs an API key; a token is not enough.")

    def owns(self, owner: str) -> bool:
        """Whether what belongs to ``owner`` may be seen and changed."""
        return owner == self.owner or self.is_admin


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Scopes by name.

    Raises:
        InvalidField: a name that is none; the message has those that are.
    """
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError:
        known = ", ".join(Scope)
        raise InvalidField(f"Scopes are {known}.", field="scopes") from None


def refusal() -> Unauthenticated:
    """The one answer to every credential that is missing or not valid."""
    return Unauthenticated(
        "A valid API key or token is needed: X-API-Key, or Authorization: Bearer."
    )
