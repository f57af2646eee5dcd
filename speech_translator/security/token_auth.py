"""From a token to who asks, and the keys behind both. Fails closed.

A token is as good as the key that it was made by: that one is looked up for each, so a token opens
no more than its key does today and ends with it. Signing keys come from a store that all replicas
share, and the first that finds today's too old makes the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from speech_translator.security.auth import AuthConfig, KeyAuthenticator, unix_milliseconds
from speech_translator.security.refreshed import Refreshed
from speech_translator.security.scopes import Principal, Scope, refusal
from speech_translator.security.signing_keys import KeyRing, SigningKey
from speech_translator.security.tokens import (
    SECRET_PREFIX,
    TokenConfig,
    Tokens,
    VerifiedToken,
    kid_of,
)
from speech_translator.storage.tokens import SealedKey

if TYPE_CHECKING:
    from speech_translator.storage.audit import AuditEntry
    from speech_translator.storage.tokens import TokenStore

_DAY_MS = 24 * 3600 * 1000
SIGNS_FOR_MS = 30 * _DAY_MS
ACCEPTED_AFTER_MS = _DAY_MS

_NEW_KID_S = 1.0
"""An unknown signing key may be another replica's new one: so often is that looked up."""


class TokenAuthenticator:
    """Issues, checks and closes tokens.

    Args:
        store: signing keys and closed tokens.
        keys: checks the keys that tokens stand for.
        auth: the server's secrets, and how long look-ups are believed.
        config: who signs for whom.
        clock: monotonic seconds.
        wall_clock: milliseconds since 1970.
    """

    def __init__(
        self,
        store: TokenStore,
        keys: KeyAuthenticator,
        auth: AuthConfig,
        config: TokenConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        self._store = store
        self._keys = keys
        self._peppers = auth.peppers
        self._wall_clock = wall_clock
        self._ring = KeyRing(())
        self.tokens = Tokens(
            lambda: self._ring, config or TokenConfig(), clock=lambda: wall_clock() / 1000
        )
        self._state = Refreshed(
            self._load, fresh_s=auth.cache_s, outage_s=auth.outage_s, clock=clock
        )

    @property
    def life_s(self) -> int:
        """How long a token lives, in seconds."""
        return self.tokens.life_s

    async def issue(self, principal: Principal, scopes: frozenset[Scope] | None = None) -> str:
        """A token for what the principal may do, or for a part of it; see ``Tokens.issue``.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self._refreshed()
        return self.tokens.issue(principal, scopes)

    async def issue_secret(
        self, principal: Principal, session: str, life_s: int
    ) -> tuple[str, int]:
        """A client secret, and when it ends; see ``Tokens.issue_secret``.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self._refreshed()
        return self.tokens.issue_secret(principal, session, life_s)

    async def session_of(self, text: str) -> str | None:
        """What a client secret that was let in carries; None for every other credential.

        Raises:
            Unauthenticated: it ended since.
            StoreUnavailable: the database does not answer, and did not lately.
        """
        if not text.startswith(SECRET_PREFIX):
            return None
        return (await self._verified(text)).session

    async def authenticate(self, text: str) -> Principal:
        """Who holds the token that ``text`` is.

        Raises:
            Unauthenticated: it is none of ours, not valid now, closed, or its key is: which is not
                told.
            StoreUnavailable: the database does not answer, and did not lately.
        """
        token = await self._verified(text)
        holder = await self._keys.holder(token.principal.key_id)
        if holder.owner != token.principal.owner:
            raise refusal()
        return replace(
            holder,
            scopes=holder.scopes & token.principal.scopes,
            token_id=token.jti,
            confined=token.session is not None,
        )

    async def check(self, token_id: str) -> None:
        """Look whether a token that was let in was closed since; its end is not looked at.

        Raises:
            Unauthenticated: it was.
            StoreUnavailable: the database does not answer, and did not lately.
        """
        if token_id in await self._refreshed():
            raise refusal()

    async def revoke(
        self, text: str, entry: Callable[[VerifiedToken], AuditEntry] | None = None
    ) -> None:
        """Close a token before its end: here at once, on other replicas when they look again.

        Args:
            text: the token.
            entry: what is written into the audit log in the same step; nothing by default.

        Raises:
            Unauthenticated: it opens nothing as it is.
            StoreUnavailable: the database does not answer.
        """
        token = await self._verified(text)
        expires_at = int(token.expires_at * 1000) + 1000 * int(1 + self.tokens.leeway_s)
        noted = None if entry is None else entry(token)
        now = self._wall_clock()
        await self._store.revoke(token.jti, expires_at=expires_at, now_ms=now, entry=noted)
        self._state.forget()

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys (RFC 7517)."""
        await self._refreshed()
        return self._ring.jwks()

    def forget(self) -> None:
        """Changes may have been missed: the store is asked again."""
        self._state.forget()

    async def _verified(self, text: str) -> VerifiedToken:
        token = self.tokens.recall(text)
        kid = kid_of(text) if token is None else token.kid
        revoked = await self._refreshed()
        if self._ring.find(kid) is None:
            revoked = await self._refreshed(_NEW_KID_S)
        token = self.tokens.recall(text) or self.tokens.verify(text)
        if token.jti in revoked:
            raise refusal()
        return token

    async def _refreshed(self, max_age_s: float | None = None) -> frozenset[str]:
        """Have today's signing keys; the ids of closed tokens."""
        self._ring, revoked = await self._state.get(max_age_s)
        return revoked

    async def _load(self) -> tuple[KeyRing, frozenset[str]]:
        state = await self._store.state()
        keys: Sequence[SealedKey] = state.keys
        if tuple(self._rotated(keys)) != tuple(keys):
            keys = await self._store.change_keys(self._rotated)
        opened = [key for sealed in keys if (key := self._unsealed(sealed)) is not None]
        return KeyRing(tuple(opened)), state.revoked

    def _rotated(self, keys: Sequence[SealedKey]) -> list[SealedKey]:
        """The keys as they should be now; one of another secret is kept for those who have it."""
        now = self._wall_clock()
        known = {sealed.kid: sealed for sealed in keys}
        opened = [key for sealed in keys if (key := self._unsealed(sealed)) is not None]
        times = {"every_ms": SIGNS_FOR_MS, "overlap_ms": ACCEPTED_AFTER_MS}
        ring = KeyRing(tuple(opened)).rotated(now, **times)
        foreign = [
            sealed
            for sealed in keys
            if all(key.kid != sealed.kid for key in opened)
            and now - sealed.created_at < SIGNS_FOR_MS + ACCEPTED_AFTER_MS
        ]
        return [known.get(key.kid) or self._sealed(key) for key in ring.keys] + foreign

    def _sealed(self, key: SigningKey) -> SealedKey:
        return SealedKey(key.kid, key.created_at, key.seal(self._peppers[0]))

    def _unsealed(self, sealed: SealedKey) -> SigningKey | None:
        return SigningKey.unseal(sealed.kid, sealed.created_at, sealed.sealed, self._peppers)
