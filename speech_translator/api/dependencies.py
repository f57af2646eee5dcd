"""What a route takes from its request: its body, the services, who asks, and until when."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import HTTPConnection, Request

from speech_translator.api.accounts import AccountsDoor
from speech_translator.api.body import Pace, check_declared, read_json
from speech_translator.api.keyless_bodies import KeylessBodies
from speech_translator.api.metering import Metering
from speech_translator.engines.values import EngineInfo, Priority, Task
from speech_translator.errors import InvalidField, Overloaded
from speech_translator.observability import Metrics
from speech_translator.problems import request_id_of
from speech_translator.reliability.deadlines import Deadline
from speech_translator.reliability.health_checks import HealthMonitor
from speech_translator.scalability.results import RequestContext
from speech_translator.security.concurrency import ConcurrencyLimiter
from speech_translator.security.guard import ANONYMOUS, Caller, Guard, peer_of
from speech_translator.security.rate_limiter import EndpointClass
from speech_translator.security.scopes import Principal, Scope
from speech_translator.security.shared import Shared
from speech_translator.services import Services
from speech_translator.settings import Settings

if TYPE_CHECKING:
    from speech_translator.security.accounts import Accounts
    from speech_translator.security.audit_trail import Actor

T = TypeVar("T")

TIMEOUT_HEADER = "x-request-timeout"


@dataclass(slots=True)
class ApiState:
    """What lives as long as the application: ``app.state.api``.

    ``services`` and ``health`` are None until the lifespan has opened them. ``tasks`` gives the
    task of each configured engine; ``started_at`` and ``stop_at`` are points of ``time.monotonic``,
    the latter None until the service begins to stop; ``recordings`` are being received or worked
    on; ``keyless`` bounds the bodies that are read before their key.
    """

    settings: Settings
    metrics: Metrics
    tasks: Mapping[str, Task]
    shared: Shared
    accounts: AccountsDoor
    guard: Guard
    metering: Metering
    live_sessions: ConcurrencyLimiter
    services: Services | None = None
    health: HealthMonitor | None = None
    stop_at: float | None = None
    started_at: float = field(default_factory=time.monotonic)
    recordings: int = 0
    keyless: KeylessBodies = field(default_factory=KeylessBodies)
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
    caller: Caller | None = None,
) -> RequestContext:
    """Who asks and until when; ``X-Request-Timeout`` may shorten ``longest_s``.

    Args:
        connection: the request.
        longest_s: seconds from now.
        priority: how urgent it is.
        spent_s: seconds that the request took so far: the header counts from its beginning.
        caller: who asks; nobody yet, where the work is not an engine's.

    Raises:
        InvalidField: the header is not a positive number of seconds.
    """
    seconds = longest_s
    asked = connection.headers.get(TIMEOUT_HEADER)
    if asked is not None:
        seconds = min(longest_s, _seconds(asked) - spent_s)
    deadline = Deadline.after(seconds)
    if caller is None:
        return RequestContext(deadline, owner=ANONYMOUS, priority=priority)
    return RequestContext(
        deadline, owner=caller.subject, priority=priority, weight=caller.tier.weight
    )


async def accounts_of(connection: HTTPConnection) -> Accounts:
    """Keys and what is done with them.

    Raises:
        ConfigurationError: they cannot be opened as the settings are.
        StoreUnavailable: the database does not answer.
    """
    return await state_of(connection).accounts.get()


def actor_of(connection: HTTPConnection, principal: Principal | None) -> Actor:
    """Who does something, for the audit log."""
    from speech_translator.security.audit_trail import Actor  # noqa: PLC0415 - opened when needed

    owner = principal.owner if principal else ANONYMOUS
    return Actor(owner, peer_of(connection) or "", request_id_of(connection))


async def admitted(
    connection: HTTPConnection,
    scope: Scope | None = None,
    endpoint: EndpointClass = "work",
    *,
    max_bytes: int | None = None,
    credential: str | None = None,
    confined: bool = False,
) -> Caller:
    """Who asks, let in; further arguments and errors as ``Guard.admit``.

    Args:
        connection: the request.
        scope: see there.
        endpoint: see there.
        max_bytes: largest body of the route; that of JSON routes by default.
        credential: a key that stands elsewhere than in the headers.
        confined: see there.

    Raises:
        PayloadTooLarge: more is declared. No key was looked up, and nothing of the body was read.
    """
    longest = state_of(connection).settings.max_body_bytes if max_bytes is None else max_bytes
    check_declared(connection.headers, longest)
    return await state_of(connection).guard.admit(
        connection, scope, endpoint, credential=credential, confined=confined
    )


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
