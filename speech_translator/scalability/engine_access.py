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
    CircuitOpen,
    DeadlineExceeded,
    EngineTimeout,
    ShuttingDown,
    Unavailable,
)
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.engine_guards import EngineGuards
from speech_translator.scalability.events import FellBack
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
        guards: breakers and retries; none by default.
    """

    broker: CallBroker
    guards: EngineGuards = field(default_factory=EngineGuards)
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

        return await self.guards.retries(engine).call(attempt, context.deadline, idempotent=True)

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
        waits = [
            max(self.guards.breakers(name).retry_after() for name in engines_of(option))
            for option in options
        ]
        usable = [index for index, wait in enumerate(waits) if wait == 0]
        if not usable:
            raise CircuitOpen(
                "Every engine for this failed lately and is left alone for a moment.",
                retry_after=round(min(waits), 3),
            )
        for option in options[: usable[0]]:
            self._fell_back(engines_of(option), CircuitOpen.code)
        failures: list[Unavailable] = []
        for index in usable:
            attempt = context if index == usable[-1] else _shortened(context)
            try:
                return await work(options[index], attempt), index
            except ShuttingDown:
                raise
            except DeadlineExceeded:
                if attempt is context or context.deadline.expired():
                    raise
                failures.append(
                    EngineTimeout("The engine did not answer in its share of the time.")
                )
            except Unavailable as error:
                failures.append(error)
            if index != usable[-1]:
                self._fell_back(engines_of(options[index]), failures[-1].code)
        raise failures[0]

    def _fell_back(self, engines: Sequence[str], reason: str) -> None:
        self.guards.listener(FellBack(engines[0], reason))


def _shortened(context: RequestContext) -> RequestContext:
    """The same request with a share of its time, so that a later engine still has some."""
    deadline = context.deadline
    share = Deadline.after(deadline.remaining() * ATTEMPT_SHARE, clock=deadline.clock)
    return replace(context, deadline=share)
