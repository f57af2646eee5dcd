"""One call to one engine of a chain, and the fall to the next one.

This is where the guards stand, in this order: breaker (is the engine worth trying), retry, the
broker's admission and batching, and an attempt timeout that leaves a later engine time to answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from speech_translator.engines.values import Call, EngineInfo, Priority, Result
from speech_translator.errors import (
    DeadlineExceeded,
    EngineTimeout,
    EngineUnavailable,
    ShuttingDown,
    Unavailable,
)
from speech_translator.reliability.deadlines import Deadline
from speech_translator.reliability.guards import Breaker, NullBreaker, NullRetry, Retry
from speech_translator.scalability.results import RequestContext
from speech_translator.scalability.seats import EngineStatus

T = TypeVar("T")
Option = TypeVar("Option")

ATTEMPT_SHARE = 0.6
"""Part of the remaining time that an attempt gets while there is another engine to fall to."""


class CallBroker(Protocol):
    """The part of the broker that is needed here."""

    async def submit(
        self,
        engine: str,
        call: Call,
        *,
        priority: Priority,
        deadline: Deadline,
        owner: str = "",
        weight: int = 1,
    ) -> Result:
        """Run one call on one engine."""
        ...

    def status(self) -> Mapping[str, EngineStatus]:
        """The state of every engine."""
        ...


@dataclass(slots=True)
class EngineAccess:
    """Engines by name, behind their guards.

    Args:
        broker: runs the calls.
        breakers: the breaker of an engine, by name; always closed by default.
        retry: how a failed attempt is repeated; not at all by default.
    """

    broker: CallBroker
    breakers: Callable[[str], Breaker] = lambda _name: NullBreaker()
    retry: Retry = field(default_factory=NullRetry)
    _infos: dict[str, EngineInfo] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)

    def infos(self, names: Sequence[str]) -> list[EngineInfo]:
        """What the loaded engines among ``names`` said of themselves, in that order."""
        known = self._infos
        if any(name not in known and name not in self._absent for name in names):
            told = self.broker.status()
            for name, status in told.items():
                if status.info is not None:
                    known[name] = status.info  # the same through every restart
            if told:  # the broker has started, and none will be added to it
                self._absent.update(name for name in names if name not in told)
        return [known[name] for name in names if name in known]

    def starting(self, names: Sequence[str]) -> bool:
        """Whether one of ``names`` has not yet said what it can do but may soon."""
        status = self.broker.status()
        return any(
            status[name].info is None and status[name].state in {"starting", "restarting"}
            for name in names
            if name in status
        )

    async def call(self, engine: str, call: Call, context: RequestContext) -> Result:
        """One guarded call. Raises what the broker raises."""

        async def attempt() -> Result:
            return await self.broker.submit(
                engine,
                call,
                priority=context.priority,
                deadline=context.deadline,
                owner=context.owner,
                weight=context.weight,
            )

        return await self.retry.call(attempt, context.deadline, idempotent=True)

    async def first_answer(
        self,
        options: Sequence[Option],
        engines_of: Callable[[Option], Sequence[str]],
        context: RequestContext,
        work: Callable[[Option, RequestContext], Awaitable[T]],
    ) -> tuple[T, int]:
        """Try options in order; the first answer and the index of the option that gave it.

        An option whose breaker is open is passed over. Only ``Unavailable`` falls through: an
        error that the caller must mend is the same on every engine.

        Args:
            options: routes or engines, the preferred one first; at least one.
            engines_of: the engines that an option needs.
            context: the request's; an attempt that is not the last gets a share of its time for
                all its calls together.
            work: does the job by one option, within the context that it is given.

        Raises:
            Unavailable: every option failed; the first option's error.
        """
        failure: Unavailable | None = None
        for index, option in enumerate(options):
            if any(self.breakers(engine).is_open() for engine in engines_of(option)):
                continue
            attempt = context if option is options[-1] else _shortened(context)
            try:
                return await work(option, attempt), index
            except ShuttingDown:
                raise
            except DeadlineExceeded:
                if attempt is context or context.deadline.expired():
                    raise
                failure = failure or EngineTimeout(
                    "The engine did not answer in its share of the time."
                )
            except Unavailable as error:
                failure = failure or error
        if failure is None:
            raise EngineUnavailable(
                "Every engine for this is switched off for the moment after failures.",
                retry_after=5.0,
            )
        raise failure


def _shortened(context: RequestContext) -> RequestContext:
    """The same request with a share of its time, so that a later engine still has some."""
    deadline = context.deadline
    share = Deadline.after(deadline.remaining() * ATTEMPT_SHARE, clock=deadline.clock)
    return replace(context, deadline=share)
