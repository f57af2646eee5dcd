"""What a route takes from its request: its body, the services, who asks, and until when.

Where ``ANONYMOUS_TIER`` lets requests without a key in, they belong to ``anonymous``.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import HTTPConnection, Request

from speech_translator.api.accounts import AccountsDoor
from speech_translator.api.body import Pace, read_json
from speech_translator.api.errors import request_id_of
from speech_translator.engines.values import EngineInfo, Priority, Task
from speech_translator.errors import (
    InvalidField,
    LimitExceeded,
    Overloaded,
    SpeechTranslatorError,
    Unauthenticated,
)
from speech_translator.observability import Metrics
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.security.limit_store import LimitStore, MemoryLimitStore
from speech_translator.security.limits import Debit, Rate
from speech_translator.security.rate_limiter import EndpointClass, RateLimiter, exceeded
from speech_translator.security.scopes import USUAL_SCOPES, Principal, Scope, refusal
from speech_translator.security.tiers import TierName
from speech_translator.services import Services
from speech_translator.settings import Settings

if TYPE_CHECKING:
    from speech_translator.security.accounts import Accounts, Actor

T = TypeVar("T")

ANONYMOUS = "anonymous"
KEY_HEADER = "x-api-key"
TOKEN_PROTOCOL = "bearer."  # noqa: S105 - what precedes one
TIMEOUT_HEADER = "x-request-timeout"


@dataclass(slots=True)
class ApiState:
    """What lives as long as the application: ``app.state.api``.

    ``services`` is None until the lifespan has opened them. ``tasks`` gives the task of each
    configured engine; ``started_at`` and ``stop_at`` are points of ``time.monotonic``, the latter
    None until the service begins to stop; ``recordings`` are being received or worked on.
    """

    settings: Settings
    metrics: Metrics
    tasks: Mapping[str, Task]
    limiter: RateLimiter
    services: Services | None = None
    stop_at: float | None = None
    started_at: float = field(default_factory=time.monotonic)
    recordings: int = 0
    accounts: AccountsDoor | None = None
    keyless: LimitStore = field(default_factory=MemoryLimitStore)  # what is had without a key
    anonymous: Principal | None = None  # who asks without a key, where that is allowed
    languages: tuple[tuple[EngineInfo, ...], bytes] | None = None  # kept body of /languages
    openapi: bytes | None = None  # kept body of /openapi.json

    @property
    def draining(self) -> bool:
        """Whether the service is about to stop: nothing new is begun."""
        return self.stop_at is not None

    def drain(self) -> None:
        """Begin to stop; the grace period runs from the first call."""
        if self.stop_at is None:
            self.stop_at = time.monotonic() + self.settings.shutdown_grace_s

    def grace_left(self) -> float:
        """Seconds for everything that is still to be finished before the service ends."""
        if self.stop_at is None:
            return self.settings.shutdown_grace_s
        return max(0.0, self.stop_at - time.monotonic())


def anonymous_principal(settings: Settings) -> Principal | None:
    """Who asks without a key; None where a key is needed."""
    if settings.anonymous_tier is None:
        return None
    return Principal(ANONYMOUS, "", TierName(settings.anonymous_tier), USUAL_SCOPES)


def state_of(connection: HTTPConnection) -> ApiState:
    """The application's state."""
    state: ApiState = connection.app.state.api
    return state


def services_of(connection: HTTPConnection) -> Services:
    """The running services."""
    services = state_of(connection).services
    if services is None:
        raise RuntimeError("the application was called before its lifespan began")
    return services


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


def peer_of(connection: HTTPConnection) -> str | None:
    """The address that the connection comes from; None for a Unix socket."""
    return connection.client.host if connection.client else None


async def json_of(
    request: Request, decoder: msgspec.json.Decoder[T], *, optional: bool = False
) -> T:
    """The body, within the settings' size and time; arguments and errors as ``read_json``."""
    settings = state_of(request).settings
    pace = Pace(settings.body_timeout_s, settings.request_timeout_s)
    return await read_json(
        request, decoder, limit=settings.max_body_bytes, pace=pace, optional=optional
    )


async def recording_place(connection: HTTPConnection) -> AsyncIterator[None]:
    """Bounds the recordings at once, and with them the disk that they take; a dependency.

    Raises:
        Overloaded: there are as many as may be; nothing of the upload was read.
    """
    state = state_of(connection)
    if state.recordings >= state.settings.max_concurrent_recordings:
        raise Overloaded("Too many recordings are being worked on.", retry_after=5.0)
    state.recordings += 1
    try:
        yield
    finally:
        state.recordings -= 1


def request_context(
    connection: HTTPConnection,
    longest_s: float,
    *,
    priority: Priority = Priority.INTERACTIVE,
    spent_s: float = 0.0,
    owner: str = ANONYMOUS,
) -> RequestContext:
    """Who asks and until when; ``X-Request-Timeout`` may shorten ``longest_s``.

    Args:
        connection: the request.
        longest_s: seconds from now.
        priority: how urgent it is.
        spent_s: seconds that the request took so far: the header counts from its beginning.
        owner: who asks.

    Raises:
        InvalidField: the header is not a positive number of seconds.
    """
    seconds = longest_s
    asked = connection.headers.get(TIMEOUT_HEADER)
    if asked is not None:
        seconds = min(longest_s, _seconds(asked) - spent_s)
    return RequestContext(Deadline.after(seconds), owner=owner, priority=priority)


async def accounts_of(connection: HTTPConnection) -> Accounts:
    """Keys and what is done with them.

    Raises:
        ConfigurationError: they cannot be opened as the settings are.
        StoreUnavailable: the database does not answer.
    """
    door = state_of(connection).accounts
    if door is None:
        raise RuntimeError("the application was called before its lifespan began")
    return await door.get()


def credential_of(connection: HTTPConnection) -> str | None:
    """The key or token that came with a request: ``X-API-Key``, or ``Authorization: Bearer``.

    Browsers set no headers on a WebSocket: there it may be a subprotocol, ``bearer.<token>``.
    """
    key = connection.headers.get(KEY_HEADER)
    if key is not None:
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered = connection.scope.get("subprotocols", ())
    found = (name for name in offered if name.startswith(TOKEN_PROTOCOL))
    return next((name.removeprefix(TOKEN_PROTOCOL) for name in found), None)


async def principal_of(connection: HTTPConnection) -> Principal | None:
    """Who asks, by their key; None when they gave none.

    Raises:
        Unauthenticated: they gave one that is not valid.
        StoreUnavailable: it cannot be looked up.
    """
    credential = credential_of(connection)
    if credential is None:
        return None
    return await (await accounts_of(connection)).authenticate(credential)


async def refused(connection: HTTPConnection) -> SpeechTranslatorError:
    """The error for a request without a valid credential, counted against its address."""
    limiter = state_of(connection).limiter
    decision = await limiter.refuse(address_block(peer_of(connection)))
    return refusal() if decision.allowed else exceeded(decision)


def actor_of(connection: HTTPConnection, principal: Principal | None) -> Actor:
    """Who does something, for the audit log."""
    from speech_translator.security.accounts import Actor  # noqa: PLC0415 - opened when needed

    owner = principal.owner if principal else ANONYMOUS
    return Actor(owner, peer_of(connection) or "", request_id_of(connection))


async def limit_keyless(connection: HTTPConnection, rate: Rate) -> None:
    """Count one of the few things that can be had without a key.

    Raises:
        LimitExceeded: too many were had lately.
    """
    decision = await state_of(connection).keyless.acquire([Debit(ANONYMOUS, rate)])
    if not decision.allowed:
        raise LimitExceeded("Too much was asked without a key.", retry_after=decision.retry_after_s)


async def admitted(
    connection: HTTPConnection, scope: Scope | None = None, endpoint: EndpointClass = "work"
) -> Principal:
    """Who asks, let in: authenticated, allowed, and one request debited. Fails closed.

    What is left of their limits goes into the answer's headers.

    Args:
        connection: the request.
        scope: what their credential must open; None where any does.
        endpoint: which limits it counts against.

    Raises:
        Unauthenticated: no credential, or one that is not valid.
        Forbidden: it lacks the scope.
        LimitExceeded: a limit is used up.
        StoreUnavailable: it cannot be looked up.
    """
    state = state_of(connection)
    try:
        principal = await principal_of(connection)
        if principal is None and endpoint == "work":
            principal = state.anonymous
        if principal is None:
            raise refusal()
    except Unauthenticated:
        raise await refused(connection) from None
    if scope is not None:
        principal.require(scope)
    if principal is state.anonymous:
        subject = f"address:{address_block(peer_of(connection))}"
    else:
        subject = f"owner:{principal.owner}"
    decision = await state.limiter.admit(subject, principal.tier, endpoint)
    connection.scope["state"]["limits"] = decision
    if not decision.allowed:
        raise exceeded(decision)
    return principal


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:  # also true for NaN
        raise InvalidField(
            "X-Request-Timeout must be a positive number of seconds.", field="X-Request-Timeout"
        )
    return seconds
