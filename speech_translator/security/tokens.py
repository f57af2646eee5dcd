"""Short-lived tokens for browsers and services: JWT (RFC 7519) signed with Ed25519 (RFC 8037).

One algorithm, named by us and never by the token; every claim required. A token says whose it is
and by which key, so that it ends when that key does.

A *client secret* is a token for somebody else's browser: it carries the session that it is for,
opens live sessions and nothing else, and may live longer. A prefix tells it from the others, to
us and to whoever looks for secrets that were published.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from speech_translator.security.scopes import Principal, Scope, refusal
from speech_translator.security.signing_keys import KeyRing, SigningKey
from speech_translator.security.tiers import TierName

ALGORITHM = "EdDSA"
MAX_LIFE_S = 900
"""Longest life of a token, in seconds."""

SECRET_PREFIX = "ek_"  # noqa: S105 - what a client secret begins with # nosec B105
MAX_SECRET_LIFE_S = 7200
"""Longest life of a client secret, in seconds."""

SECRET_SCOPES = frozenset({Scope.STREAM})
"""What a client secret opens."""

_CLAIMS = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "key_id", "tier", "scope"]
_MAX_CHARS = 4096
_MAX_REMEMBERED = 10_000
"""Tokens whose signature was checked, by digest: about 1 KB each."""


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """Who signs for whom; times are seconds.

    Args:
        issuer: the ``iss`` of tokens: this service.
        audience: the ``aud``: who takes them.
        life_s: how long one lives; at most ``MAX_LIFE_S``.
        leeway_s: by which clocks may differ.
    """

    issuer: str = "speech-translator"
    audience: str = "speech-translator"
    life_s: int = 600
    leeway_s: float = 2.0


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that is genuine; whether its key still lives is another question.

    ``kid`` names the key that signed it; times are seconds since 1970. ``session`` is what a client
    secret carries; None for all other tokens.
    """

    principal: Principal
    jti: str
    begins_at: float
    expires_at: float
    kid: str
    session: str | None = None


class Tokens:
    """Issues and verifies.

    Args:
        ring: gives today's keys.
        config: see there.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        ring: Callable[[], KeyRing],
        config: TokenConfig,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ring = ring
        self._config = config
        self._clock = clock
        self._remembered: OrderedDict[bytes, VerifiedToken] = OrderedDict()

    def issue(self, principal: Principal, scopes: frozenset[Scope] | None = None) -> str:
        """A token for what the principal may do, or for a part of it.

        Args:
            principal: who asks for it.
            scopes: to be in it; those that the principal lacks are left out.
        """
        given = principal.scopes if scopes is None else principal.scopes & scopes
        return self._signed(principal, given, int(self._clock()) + self.life_s)

    def issue_secret(self, principal: Principal, session: str, life_s: int) -> tuple[str, int]:
        """A client secret for a live session, and when it ends, in seconds since 1970.

        Args:
            principal: who asks for it.
            session: what it is to carry. Whoever has the secret can read it.
            life_s: how long it lives, in seconds; at most ``MAX_SECRET_LIFE_S``.
        """
        ends = int(self._clock()) + min(life_s, MAX_SECRET_LIFE_S)
        given = principal.scopes & SECRET_SCOPES
        return SECRET_PREFIX + self._signed(principal, given, ends, session=session), ends

    def _signed(
        self, principal: Principal, scopes: frozenset[Scope], ends: int, **more: str
    ) -> str:
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self._config.issuer,
            "aud": self._config.audience,
            "sub": principal.owner,
            "iat": now,
            "nbf": now,
            "exp": ends,
            "jti": secrets.token_urlsafe(16),
            "key_id": principal.key_id,
            "tier": str(principal.tier),
            "scope": " ".join(sorted(scopes)),
            **more,
        }
        key = self._ring().newest
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})

    @property
    def leeway_s(self) -> float:
        """Seconds after its end in which a token is still taken."""
        return self._config.leeway_s

    @property
    def life_s(self) -> int:
        """How long a token lives, in seconds."""
        return min(self._config.life_s, MAX_LIFE_S)

    def verify(self, text: str) -> VerifiedToken:
        """What a token says.

        Raises:
            Unauthenticated: it is none of ours, or not valid now; which is not told.
        """
        key = self._ring().find(kid_of(text))
        if key is None:
            raise refusal()
        token = self._decoded(text, key)
        self._remembered[_digest(text)] = token
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return token

    def recall(self, text: str) -> VerifiedToken | None:
        """A token that was verified before and still is valid; None for all others.

        A signature takes five times as long as everything else at the door, and is the same each
        time.
        """
        token = self._remembered.get(_digest(text))
        if token is None or not self._is_now(token.begins_at, token.expires_at):
            return None
        return token if self._ring().find(token.kid) else None

    def _decoded(self, text: str, key: SigningKey) -> VerifiedToken:
        try:
            claims = jwt.decode(
                text.removeprefix(SECRET_PREFIX),
                key.public,
                algorithms=[ALGORITHM],
                audience=self._config.audience,
                issuer=self._config.issuer,
                # Its own clock cannot be set, so times are looked at below.
                options={
                    "require": _CLAIMS,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "strict_aud": True,
                },
            )
            return self._token(claims, key.kid, secret=text.startswith(SECRET_PREFIX))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
            raise refusal() from None

    def _is_now(self, begins: float, ends: float) -> bool:
        leeway = self._config.leeway_s
        return begins - leeway <= self._clock() < ends + leeway

    def _token(self, claims: dict[str, Any], kid: str, *, secret: bool) -> VerifiedToken:
        begins, ends = float(claims["nbf"]), float(claims["exp"])
        longest = MAX_SECRET_LIFE_S if secret else MAX_LIFE_S
        if not (self._is_now(begins, ends) and ends - begins <= longest):
            raise refusal()
        session = claims.get("session")
        scopes = frozenset(Scope(name) for name in str(claims["scope"]).split())
        if secret != (session is not None) or (secret and not scopes <= SECRET_SCOPES):
            raise refusal()  # one kind is never taken for the other
        principal = Principal(
            owner=str(claims["sub"]),
            key_id=str(claims["key_id"]),
            tier=TierName(claims["tier"]),
            scopes=scopes,
        )
        kept = None if session is None else str(session)
        return VerifiedToken(principal, str(claims["jti"]), begins, ends, kid, kept)


def _digest(text: str) -> bytes:
    """What stands for a token in memory: a core that is dumped holds none."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()


def kid_of(text: str) -> object:
    """The id of the key that a token says it was signed by; nothing of it is believed yet.

    Raises:
        Unauthenticated: it is no token.
    """
    if len(text) > _MAX_CHARS:
        raise refusal()
    try:
        return jwt.get_unverified_header(text.removeprefix(SECRET_PREFIX)).get("kid")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise refusal() from None
