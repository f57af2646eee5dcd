"""The door of a route: who asks, whether they may, and one request of what they may have.

Fails closed: who cannot be known is not let in. It works in any Starlette or FastAPI application,
on requests and on WebSocket handshakes; its refusals are errors of the tree, which
``problems.on_error`` answers::

    caller = await guard.admit(request, Scope.TRANSLATE)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from speech_translator.errors import (
    ConfigurationError,
    Forbidden,
    SpeechTranslatorError,
    StoreUnavailable,
    Unauthenticated,
)
from speech_translator.security.limits import Decision, Rate
from speech_translator.security.rate_limiter import EndpointClass, RateLimiter, exceeded
from speech_translator.security.scopes import USUAL_SCOPES, Principal, Scope, refusal
from speech_translator.security.tiers import Tier, TierName, Tiers

ANONYMOUS = "anonymous"
"""The owner of what was done without a key."""

KEY_HEADER = "x-api-key"
TOKEN_PROTOCOLS = ("bearer.", "openai-insecure-api-key.")
"""What precedes a token among the subprotocols that a browser offers."""

REFUSALS = Rate("refusals-minute", 60)
"""Refusals a minute, of one owner, that are written down."""

Authenticate = Callable[[str], Awaitable[Principal]]
"""From a key or token to who holds it; raises ``Unauthenticated`` or ``StoreUnavailable``."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in.

    ``subject`` says whose allowance they take from: ``owner:<id>``, or ``address:<block>`` for
    those without a key; ``tier`` what that is.
    """

    principal: Principal
    subject: str
    tier: Tier

    @property
    def owner(self) -> str:
        """Whose work it is."""
        return self.principal.owner


class Guard:
    """Lets requests in.

    Args:
        authenticate: see there; ``Accounts.authenticate`` is one.
        limiter: counts requests.
        tiers: what each tier may take.
        anonymous: the tier of requests without a key; None where a key is needed.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        limiter: RateLimiter,
        tiers: Tiers,
        *,
        anonymous: TierName | None = None,
    ) -> None:
        self._authenticate = authenticate
        self._limiter = limiter
        self._tiers = tiers
        self._anonymous = (
            None if anonymous is None else Principal(ANONYMOUS, "", anonymous, USUAL_SCOPES)
        )

    async def admit(
        self,
        connection: HTTPConnection,
        scope: Scope | None = None,
        endpoint: EndpointClass = "work",
        *,
        credential: str | None = None,
        confined: bool = False,
    ) -> Caller:
        """Who asks, let in: authenticated, allowed, and one request debited.

        The caller, and what is left of their limits, is kept in the connection's state, for log
        lines and for the answer's headers.

        Args:
            connection: the request.
            scope: what their credential must open; None where any does.
            endpoint: which limits it counts against.
            credential: a key or token that stands elsewhere than in the headers.
            confined: a client secret may, too, where no scope is asked for.

        Raises:
            Unauthenticated: no credential, or one that is not valid.
            Forbidden: it lacks the scope, or is a client secret where none is asked for.
            LimitExceeded: a limit is used up.
            StoreUnavailable: it cannot be looked up.
        """
        state = connection.scope.setdefault("state", {})
        caller = state["caller"] = await self._caller(connection, endpoint, credential)
        if scope is not None:
            caller.principal.require(scope)
        elif caller.principal.confined and not confined:
            raise Forbidden("A client secret opens live sessions alone.")
        decision = await self._limiter.admit(
            caller.subject, caller.tier.name, endpoint, caller.principal
        )
        state["limits"] = decision
        if not decision.allowed:
            raise exceeded(decision)
        return caller

    async def identify(self, connection: HTTPConnection) -> Principal | None:
        """Who asks, where that decides only how much is shown; None for nobody who is known.

        Takes nothing of their limits. A wrong key is no error, and counts as one at the door does.
        """
        credential = credential_of(connection)
        if credential is None:
            return None
        try:
            return await self._authenticate(credential)
        except Unauthenticated:
            with suppress(StoreUnavailable):
                await self.refuse(connection)
        except (StoreUnavailable, ConfigurationError):
            pass
        return None

    async def give_back(
        self, connection: HTTPConnection, caller: Caller, endpoint: EndpointClass = "work"
    ) -> None:
        """Undo the debit of a request that another limit refuses.

        Args:
            connection: the request.
            caller: who was let in.
            endpoint: what it was counted as.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        left = await self._limiter.give_back(
            caller.subject, caller.tier.name, endpoint, caller.principal
        )
        connection.scope["state"]["limits"] = left

    async def standing(self, caller: Caller) -> Decision:
        """What is left of a caller's requests; nothing is taken. Raises ``StoreUnavailable``."""
        return await self._limiter.standing(caller.subject, caller.tier.name, caller.principal)

    async def refuse(self, connection: HTTPConnection) -> SpeechTranslatorError:
        """The error for a request without a valid credential, counted against its address.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        decision = await self._limiter.refuse(address_block(peer_of(connection)))
        return refusal() if decision.allowed else exceeded(decision)

    async def counts_refusal(self, caller: Caller) -> bool:
        """Whether another refusal of a caller is to be written down: a few a minute are.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        return (await self._limiter.take(caller.subject, REFUSALS)).allowed

    async def limit_keyless(self, rate: Rate) -> None:
        """Count one of the few things that can be had without a key, over all who ask.

        Raises:
            LimitExceeded: too many were had lately.
            StoreUnavailable: the counters cannot be reached.
        """
        decision: Decision = await self._limiter.take(ANONYMOUS, rate)
        if not decision.allowed:
            raise exceeded(decision)

    async def limit_address(self, connection: HTTPConnection, rate: Rate) -> None:
        """Count something that needs no key against the address that it comes from.

        Raises:
            LimitExceeded: too much of it came from there lately.
            StoreUnavailable: the counters cannot be reached.
        """
        subject = f"address:{address_block(peer_of(connection))}"
        decision = await self._limiter.take(subject, rate)
        if not decision.allowed:
            raise exceeded(decision)

    async def _caller(
        self, connection: HTTPConnection, endpoint: EndpointClass, credential: str | None
    ) -> Caller:
        credential = credential_of(connection) if credential is None else credential
        try:
            if credential is not None:
                found = await self._authenticate(credential)
                return Caller(found, f"owner:{found.owner}", self._tiers[found.tier])
        except Unauthenticated:
            raise await self.refuse(connection) from None
        nobody = self._anonymous
        if nobody is None or endpoint != "work":
            raise await self.refuse(connection)
        subject = f"address:{address_block(peer_of(connection))}"
        return Caller(nobody, subject, self._tiers[nobody.tier])


def credential_of(connection: HTTPConnection) -> str | None:
    """The key or token that came with a request: ``X-API-Key``, or ``Authorization: Bearer``.

    Browsers set no headers on a WebSocket: there it may be a subprotocol, ``bearer.<token>``, or,
    as OpenAI's clients have it, ``openai-insecure-api-key.<token>``.
    """
    key = connection.headers.get(KEY_HEADER)
    if key is not None:
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered = connection.scope.get("subprotocols", ())
    found = (
        name.removeprefix(before)
        for name in offered
        for before in TOKEN_PROTOCOLS
        if name.startswith(before)
    )
    return next(found, None)


def peer_of(connection: HTTPConnection) -> str | None:
    """The address that the connection comes from; None for a Unix socket."""
    return connection.client.host if connection.client else None


def address_block(peer: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one host has of IPv6."""
    try:
        address = ipaddress.ip_address((peer or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
