"""What stands around a call of an engine from above: its breaker, its retries, who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import AnswerRejected, EngineFailed
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.reliability.guards import Breaker, NullBreaker, NullRetry, Retry
from speech_translator.reliability.retry_handler import (
    RetryConfig,
    RetryEvent,
    RetryHandler,
    RetryScheduled,
)
from speech_translator.scalability.engine_breaker import is_elsewhere
from speech_translator.scalability.events import BrokerEvent, CallRetried, RetryWithheld

RETRIES = RetryConfig(attempts=2, first_pause_s=0.2, longest_retry_after_s=1.0)
"""One more attempt, and soon: another engine of the chain may answer in the meantime."""


def _ignore(_event: BrokerEvent) -> None:
    """The listener for those who do not listen."""


@dataclass(frozen=True, slots=True)
class EngineGuards:
    """By the engine's name; none by default.

    ``listener`` is told of retries, and of engines that another one was asked for.
    """

    breakers: Callable[[str], Breaker] = lambda _name: NullBreaker()
    retries: Callable[[str], Retry] = lambda _name: NullRetry()
    listener: Callable[[BrokerEvent], None] = _ignore


def engine_guards(
    specs: Sequence[EngineSpec],
    registry: CircuitBreakerRegistry,
    listener: Callable[[BrokerEvent], None] = _ignore,
) -> EngineGuards:
    """The guards of ``specs``.

    Only engines that ask a server somewhere else have retries: one on this machine fails over the
    same input again, and what its process took along is run once more in its lane.
    """

    def tell(event: RetryEvent) -> None:
        if isinstance(event, RetryScheduled):
            listener(CallRetried(event.name, event.attempt, event.pause_s, event.error))
        else:
            listener(RetryWithheld(event.name, event.reason))

    handlers = {
        spec.name: RetryHandler(
            spec.name,
            RETRIES,
            is_retryable=_is_retryable,
            breaker=registry.get(spec.name),
            listener=tell,
        )
        for spec in specs
        if is_elsewhere(spec)
    }
    once = NullRetry()
    return EngineGuards(registry.get, lambda name: handlers.get(name, once), listener)


def _is_retryable(error: Exception) -> bool:
    """Errors of a server; what it says of being busy or away, its client has repeated already."""
    return isinstance(error, EngineFailed) and not isinstance(error, AnswerRejected)
