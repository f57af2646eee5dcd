"""Keys made, checked and closed, each act in the audit log: the one door to accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from speech_translator.errors import ConfigurationError, Forbidden, NotFound, Unauthenticated
from speech_translator.security import api_keys
from speech_translator.security.api_keys import ApiKey
from speech_translator.security.audit_trail import Actor, AuditTrail
from speech_translator.security.auth import AuthConfig, KeyAuthenticator, unix_milliseconds
from speech_translator.security.background import beside
from speech_translator.security.idempotency import Idempotency, IdempotencyConfig
from speech_translator.security.kept_sessions import KeptSessions
from speech_translator.security.key_limits import KeyLimits
from speech_translator.security.owners import PAGE_OWNER, check_name, check_owner
from speech_translator.security.peppers import PEPPER_BYTES, make_private
from speech_translator.security.privacy import (
    KEYS,
    Erasure,
    KeysOfOwners,
    Privacy,
    RequestsOfOwners,
    Rows,
    SessionsOfOwners,
    UsageOfOwners,
)
from speech_translator.security.revocations import (
    Change,
    ChangesMissed,
    KeyChanged,
    NoRevocations,
    Revocations,
    TokenClosed,
)
from speech_translator.security.scopes import USUAL_SCOPES, Principal, Scope
from speech_translator.security.tiers import TierName
from speech_translator.security.token_auth import TokenAuthenticator
from speech_translator.security.upkeep import (
    DAY_MS,
    Listener,
    Upkeep,
    UpkeepConfig,
    ignore,
    retention,
)
from speech_translator.storage import (
    AuditLog,
    Database,
    DatabaseConfig,
    KeyRecord,
    KeyStore,
    TokenStore,
    UsageStore,
)
from speech_translator.storage.audit import user_subject
from speech_translator.storage.database import Guard as DatabaseGuard
from speech_translator.storage.erasures import ErasureStore
from speech_translator.storage.idempotency import IdempotencyStore
from speech_translator.storage.live_sessions import LiveSessionStore
from speech_translator.storage.migrate import upgrade

BOOTSTRAP_DAYS = 30
"""Days after which a key ends that was made without one, at the latest."""

_PAGE_SLACK_MS = 3600 * 1000
_NO_USER = "Nothing is kept of such a user."
_NO_KEY = "There is no such key that still opens anything."


class Accounts:
    """Keys and tokens, and what is done with them.

    Args:
        database: where they are kept, and acts are written down.
        peppers: the server's secrets, the newest first.
        revocations: tells other replicas what was closed.
        idempotency: how answers are kept.
        upkeep: how old what may become.
        listener: told what the upkeep finds and does.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        peppers: Sequence[bytes],
        *,
        revocations: Revocations | None = None,
        idempotency: IdempotencyConfig | None = None,
        upkeep: UpkeepConfig | None = None,
        listener: Listener = ignore,
        clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        auth = AuthConfig(peppers)
        self._database = database
        self._keys = KeyStore(database)
        self.usage = UsageStore(database)
        requests = IdempotencyStore(database)
        self.idempotency = Idempotency(requests, peppers, idempotency, clock=clock)
        sessions = LiveSessionStore(database)
        self.live = KeptSessions(sessions, peppers, clock=clock)
        self.audit = AuditLog(database)
        self._trail = AuditTrail(self.audit, clock)
        self._pepper = peppers[0]
        self._clock = clock
        self._authenticator = KeyAuthenticator(self._keys, auth, wall_clock=clock)
        self._page_key: KeyRecord | None = None
        self._revocations = revocations or NoRevocations()
        self.tokens = TokenAuthenticator(
            TokenStore(database), self._authenticator, auth, wall_clock=clock
        )
        self.privacy = Privacy(
            self.audit,
            {
                KEYS: KeysOfOwners(self._keys, self._key_changed, clock=clock),
                "usage": UsageOfOwners(self.usage),
                "requests": RequestsOfOwners(requests),
                "live_sessions": SessionsOfOwners(sessions),
            },
            ErasureStore(database),
            clock=clock,
        )
        self._days = upkeep or UpkeepConfig()
        self.upkeep = Upkeep(
            self._keys,
            self._authenticator,
            retention(self._days, self.audit, self._keys, self.usage, sessions),
            self._days,
            often={"erasures": self._finish_erasures},
            listener=listener,
            clock=clock,
        )

    async def authenticate(self, credential: str) -> Principal:
        """Who holds a key or a token.

        Raises:
            Unauthenticated: it opens nothing; why is not told.
            StoreUnavailable: the database does not answer, and it was not seen lately.
        """
        if api_keys.looks_like_a_key(credential):
            return await self._authenticator.authenticate(credential)
        return await self.tokens.authenticate(credential)

    async def check(self, principal: Principal) -> None:
        """Look whether somebody who was let in would still be: for what runs for long.

        A token's end does not count: it is for the beginning.

        Raises:
            Unauthenticated: their key is revoked or over, or their token was closed.
            StoreUnavailable: the database does not answer, and did not lately.
        """
        await self._authenticator.holder(principal.key_id)
        if principal.token_id is not None:
            await self.tokens.check(principal.token_id)

    async def create_key(
        self,
        owner: str,
        tier: TierName,
        actor: Actor,
        *,
        name: str = "",
        scopes: Collection[Scope] | None = None,
        expires_in_days: float | None = None,
        limits: KeyLimits | None = None,
        bootstrap: bool = False,
    ) -> tuple[str, KeyRecord]:
        """A new key: its text, which is never to be had again, and what is kept of it.

        Args:
            owner: whose it is.
            tier: what it may take.
            actor: who makes it.
            name: for its owner.
            scopes: what it opens; the usual ones by default, and all for an administrator.
            expires_in_days: when it ends; never by default.
            limits: of its own, below its owner's; none by default.
            bootstrap: nobody was asked for a credential: the key is no administrator's, and ends.

        Raises:
            InvalidField: nobody can be called so, or nothing.
            Forbidden: ``bootstrap``, and an administrator's key is asked for.
            StoreUnavailable: the database does not answer.
        """
        check_owner(owner)
        check_name(name, "name")
        if scopes is None:
            scopes = frozenset(Scope) if tier is TierName.ADMIN else USUAL_SCOPES
        if bootstrap:
            if tier is TierName.ADMIN or Scope.ADMIN in scopes:
                raise Forbidden("An administrator's key is made by the command line.")
            expires_in_days = min(expires_in_days or BOOTSTRAP_DAYS, BOOTSTRAP_DAYS)
        key, record = self._new_key(owner, tier, scopes, expires_in_days)
        record = replace(record, name=name, limits=limits.values if limits else {})
        action = "key.bootstrap" if bootstrap else "key.create"
        await self._keys.add(record, self._trail.on_key(action, key.id, actor))
        return key.text, record

    async def keys(
        self, *, owner: str | None = None, after: KeyRecord | None = None
    ) -> list[KeyRecord]:
        """A page of keys, the newest first; see ``KeyStore.page``."""
        return await self._keys.page(owner=owner, after=after)

    async def key_of(self, principal: Principal, key_id: str) -> KeyRecord:
        """A key that the principal may see and change.

        Raises:
            NotFound: there is none, or it is somebody else's, which is not told apart.
            StoreUnavailable: the database does not answer.
        """
        record = await self._keys.get(key_id) if api_keys.is_id(key_id) else None
        if record is None or not principal.owns(record.owner):
            raise NotFound(_NO_KEY)
        return record

    async def rotate_key(
        self, principal: Principal, old: KeyRecord, actor: Actor, *, overlap_s: float
    ) -> tuple[str, KeyRecord]:
        """A key in the place of another: same owner, tier, scopes, limits and end.

        Args:
            principal: who asks; their key opens at least what ``old`` does.
            old: the key that is replaced.
            actor: the same, for the audit log.
            overlap_s: seconds for which the old one goes on.

        Raises:
            Forbidden: the new key would open more than the one that asks for it.
            NotFound: the old one opens nothing any more, or was replaced before.
            StoreUnavailable: the database does not answer.
        """
        if not principal.may_make(TierName(old.tier), map(Scope, old.scopes)):
            raise Forbidden("A key is not rotated by one that opens less.")
        key, now = api_keys.generate(), self._clock()
        new = replace(
            old,
            id=key.id,
            digest=key.digest(self._pepper),
            created_at=now,
            last_used_at=None,
            counts_as=(old.counts_as or old.id) if old.limits else None,
        )
        until = now + int(overlap_s * 1000)
        entry = self._trail.on_key("key.rotate", old.id, actor)
        if not await self._keys.replace(old.id, new, old_expires_at=until, entry=entry):
            raise NotFound(_NO_KEY)
        await self._changed(KeyChanged(old.id))
        return key.text, new

    async def page_holder(self, actor: Actor) -> Principal:
        """Whom tokens of the page on this machine stand for; their key is made if there is none.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        if self._page_key and self._page_key.valid(self._clock() + _PAGE_SLACK_MS):
            with suppress(Unauthenticated):  # somebody revoked it
                return await self._authenticator.holder(self._page_key.id)
        key, record = self._new_key(PAGE_OWNER, TierName.PRO, USUAL_SCOPES, 1)
        await self._keys.add(record, self._trail.on_key("key.bootstrap", key.id, actor))
        self._page_key = record
        return await self._authenticator.holder(self._page_key.id)

    async def close_key(self, principal: Principal, record: KeyRecord, actor: Actor) -> None:
        """Revoke a key for who holds one: that key itself, or another that opens no more.

        Raises:
            Forbidden: the key that asks opens less.
            NotFound, StoreUnavailable: see ``revoke_key``.
        """
        itself = record.id == principal.key_id
        if not (itself or principal.may_make(TierName(record.tier), map(Scope, record.scopes))):
            raise Forbidden("A key is not revoked by one that opens less.")
        await self.revoke_key(record.id, actor)

    async def revoke_key(self, key_id: str, actor: Actor) -> None:
        """Close a key for good: here at once, elsewhere when that is heard or its look-up is over.

        Raises:
            NotFound: there is no such key, or it was revoked before.
            StoreUnavailable: the database does not answer.
        """
        entry = self._trail.on_key("key.revoke", key_id, actor)
        if not await self._keys.revoke(key_id, self._clock(), entry):
            raise NotFound(_NO_KEY)
        await self._changed(KeyChanged(key_id))

    async def issue_token(
        self, principal: Principal, scopes: frozenset[Scope] | None, actor: Actor
    ) -> str:
        """A token for what a key opens, or for a part of it; see ``Tokens.issue``.

        Raises:
            StoreUnavailable: the database does not answer; what is not written down is not made.
        """
        entry = self._trail.on_key("token.issue", principal.key_id, actor)
        await self.audit.append(entry)
        return await self.tokens.issue(principal, scopes)

    async def revoke_token(self, text: str, actor: Actor) -> None:
        """Close a token before its end. Raises what ``TokenAuthenticator.revoke`` does."""
        await self.tokens.revoke(
            text,
            lambda token: self._trail.on_key("token.revoke", token.principal.key_id, actor),
        )
        await self._changed(TokenClosed())

    def shown(self, record: KeyRecord) -> dict[str, Any]:
        """What owners see of a key, with its age in days, and whether that is too much."""
        now = self._clock()
        age = now - record.created_at
        stale = record.valid(now) and age > self._days.key_max_age_days * DAY_MS
        return {**record.shown(), "age_days": max(0, age // DAY_MS), "stale": stale}

    async def has_administrator(self) -> bool:
        """Whether somebody holds a valid key with the scope ``admin``. Raises StoreUnavailable."""
        return await self._keys.has_administrator(self._clock())

    async def noted(self, action: str, subject: str, actor: Actor) -> None:
        """Write down an act that changes nothing here, before it is done.

        Raises:
            StoreUnavailable: it cannot be; then it is not to be done.
        """
        await self._trail.write(action, subject, actor)

    async def ping(self) -> None:
        """See whether the database takes a transaction. Raises ``StoreUnavailable``."""
        await self._database.ping()

    async def refused(self, actor: Actor, what: str, code: str) -> None:
        """Somebody who is known tried what they may not.

        Args:
            actor: who.
            what: the method and the template of the route.
            code: the error's.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self._trail.write("refused", what, actor, outcome=code)

    async def export_user(self, owner: str, actor: Actor) -> dict[str, Rows]:
        """All that is kept of an owner.

        Raises:
            NotFound: nothing is.
            StoreUnavailable: the database does not answer.
        """
        found = await self.privacy.export(owner)
        if not any(found.values()):
            raise NotFound(_NO_USER)
        await self._trail.write("user.export", user_subject(owner), actor)
        return found

    async def erase_user(self, owner: str, actor: Actor) -> Erasure:
        """Forget an owner; their keys open nothing from now on.

        Raises:
            NotFound: nothing is kept of them.
            StoreUnavailable: the database does not answer; what is left goes the next time.
        """
        if not any((await self.privacy.export(owner)).values()):
            raise NotFound(_NO_USER)
        pseudonym = self.privacy.new_pseudonym()
        await self._trail.write("user.erase", pseudonym, actor)
        return await self.privacy.erase(owner, pseudonym)

    def hear(self, change: Change) -> None:
        """Another replica changed something: what is remembered of it is asked for again."""
        if isinstance(change, KeyChanged):
            self._authenticator.forget(change.key_id)
            return
        if isinstance(change, ChangesMissed):
            self._authenticator.forget_all()
        self.tokens.forget()

    async def _key_changed(self, key_id: str) -> None:
        await self._changed(KeyChanged(key_id))

    async def _finish_erasures(self, _now: int) -> int:
        await self.privacy.finish()
        return 0

    async def _changed(self, change: Change) -> None:
        """Something opens less from now on: here, and everywhere."""
        self.hear(change)
        await self._revocations.tell(change)

    def _new_key(
        self, owner: str, tier: TierName, scopes: Collection[Scope], days: float | None
    ) -> tuple[ApiKey, KeyRecord]:
        """A key, and what is to be kept of it."""
        key, now = api_keys.generate(), self._clock()
        return key, KeyRecord(
            id=key.id,
            owner=owner,
            name="",
            tier=str(tier),
            scopes=frozenset(map(str, scopes)),
            digest=key.digest(self._pepper),
            created_at=now,
            expires_at=None if days is None else now + round(days * DAY_MS),
        )


@asynccontextmanager
async def open_accounts(
    url: str,
    peppers: Sequence[bytes],
    *,
    revocations: Revocations | None = None,
    idempotency: IdempotencyConfig | None = None,
    upkeep: UpkeepConfig | None = None,
    listener: Listener = ignore,
    guard: DatabaseGuard | None = None,
) -> AsyncIterator[Accounts]:
    """Accounts over a database that is brought to today's tables first.

    Args:
        url: of the database; see ``DatabaseConfig``.
        peppers: the server's secrets, the newest first, of 32 bytes or more each.
        revocations: between the replicas of a service; heard as long as the block runs.
        idempotency: how answers are kept for requests that are sent again.
        upkeep: how old what may become; done as long as the block runs.
        listener: told what the upkeep finds and does.
        guard: stands around each transaction; none by default.

    Raises:
        ConfigurationError: the address is none, a secret is missing or too short, or the database
            is a newer version's.
        StoreUnavailable: it does not answer.
    """
    if not peppers or min(map(len, peppers)) < PEPPER_BYTES:
        raise ConfigurationError(
            f"Keys are kept under a secret of {PEPPER_BYTES} bytes or more; there is none."
        )
    config = DatabaseConfig(url)
    file = config.file()
    if file is not None:
        make_private(file.parent)
    database = Database(config, guard) if guard else Database(config)
    try:
        await upgrade(database)
        told = revocations or NoRevocations()
        accounts = Accounts(
            database,
            peppers,
            revocations=told,
            idempotency=idempotency,
            upkeep=upkeep,
            listener=listener,
        )
        heard = beside(lambda: told.listen(accounts.hear), "listening to revocations")
        swept = beside(accounts.idempotency.sweep, "deleting kept answers")
        async with accounts.upkeep.running(), heard, swept:
            yield accounts
    finally:
        await database.close()
