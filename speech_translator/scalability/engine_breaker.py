"""What an engine's breaker learns from its lane: the outcomes of batches, and who is to blame.

Nobody may open it for all. So what speaks of an input says nothing about the engine: a refusal of
what the caller sent, an answer that did not pass the checks, a process that ends over an input
that is on trial (``trial.py``). And an owner whose calls fail, while others are answered, counts
once: their inputs are the likelier reason.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import (
    AnswerRejected,
    CircuitOpen,
    EngineFailed,
    InvalidRequest,
    SpeechTranslatorError,
)
from speech_translator.reliability import BreakerConfig, CircuitBreaker
from speech_translator.reliability.breaker_machine import Permit
from speech_translator.reliability.breaker_window import Outcome
from speech_translator.reliability.deadlines import Clock
from speech_translator.scalability.batching import Job

ANSWERED_LATELY_S = 300.0
"""Seconds for which an owner's answered call says that the engine works for others."""

_SLOW_SHARE = 0.5
"""Part of a call's time after which it was slow."""

_OWNERS = 8
"""Owners whose last answers are remembered: who fails has to find one that is not themselves."""


def is_elsewhere(spec: EngineSpec) -> bool:
    """Whether the engine asks a server that is not this machine's."""
    return bool(spec.options.get("url"))


def breaker_config(spec: EngineSpec) -> BreakerConfig:
    """When an engine is left alone.

    It is tried again soon, since one that restarts is back within seconds. A probe's lease outlives
    any batch: the lane ends those that hang. Slow calls speak against a server that is somewhere
    else; an engine on this machine is slow because there is much to do.
    """
    slow_s = _SLOW_SHARE * spec.call_timeout_s if is_elsewhere(spec) else None
    return BreakerConfig(open_s=2.0, slow_call_s=slow_s, probe_ttl_s=60.0 + 4 * spec.call_timeout_s)


class EngineBreaker:
    """Stands between a lane and its breaker. All methods run on the event loop.

    Args:
        breaker: the engine's.
        clock: the lane's.
    """

    def __init__(self, breaker: CircuitBreaker, clock: Clock) -> None:
        self._breaker = breaker
        self._clock = clock
        self._answered: OrderedDict[str, float] = OrderedDict()
        self._given_up = False
        self._failing: set[str] = set()  # owners whose failure has counted since they were answered

    def check(self) -> None:
        """Refuse a call at the door.

        Raises:
            CircuitOpen: none would be made now.
        """
        refusal = self._breaker.refusal()
        if refusal is not None:
            raise refusal

    def is_open(self) -> bool:
        """Whether no batch may begin now."""
        return self._breaker.is_open()

    def tests(self) -> bool:
        """Whether the next batch is a probe: it is to be as small as can be."""
        return self._breaker.state != "closed"

    def refusal(self) -> CircuitOpen | None:
        """What calls that wait are told, where nothing is even tried for a while."""
        return self._breaker.refusal() if self._breaker.state == "open" else None

    def begin(self) -> Permit:
        """A batch begins.

        Raises:
            CircuitOpen: it may not.
        """
        return self._breaker.acquire_sync()

    def answered(self, permit: Permit, jobs: Sequence[Job], seconds: float) -> None:
        """A batch was answered, ``seconds`` after the engine had begun with it."""
        now = self._clock()
        for job in jobs:
            self._answered[job.owner] = now
            self._answered.move_to_end(job.owner)
            self._failing.discard(job.owner)
        while len(self._answered) > _OWNERS:
            self._answered.popitem(last=False)
        self._breaker.settle_sync(permit, "success", seconds)

    def raised(
        self, permit: Permit, jobs: Sequence[Job], error: SpeechTranslatorError, seconds: float
    ) -> None:
        """A batch raised. One of several calls says nothing: its halves are run again."""
        outcome: Outcome = "ignored" if len(jobs) > 1 else self._judged(jobs[0], error)
        self._breaker.settle_sync(permit, outcome, seconds)

    def lost(self, permit: Permit, *, blamed: bool) -> None:
        """A process ended with a batch in it; ``blamed``: the engine, and not an input."""
        self._breaker.settle_sync(permit, "failure" if blamed else "ignored", 0.0)

    def does_not_stay_up(self) -> None:
        """Its processes end or do not start, one after the other."""
        self._given_up = True
        self._breaker.trip_sync()

    def is_up(self) -> None:
        """One of its processes has loaded: where it was given up for that, it is worth a try."""
        if self._given_up:
            self._given_up = False
            self._breaker.relent_sync()

    def _judged(self, job: Job, error: SpeechTranslatorError) -> Outcome:
        if isinstance(error, (InvalidRequest, AnswerRejected)):
            return "ignored"
        if isinstance(error, EngineFailed) and self._may_be_theirs(job.owner):
            return "ignored"
        return "failure"

    def _may_be_theirs(self, owner: str) -> bool:
        """Whether a failure is likelier to come from what ``owner`` sends."""
        counted = owner in self._failing
        self._failing.add(owner)
        since = self._clock() - ANSWERED_LATELY_S
        others = any(at > since for other, at in self._answered.items() if other != owner)
        return counted and others
