"""What befalls the engines, the checks and the cache, as metrics and log lines."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import get_args

from prometheus_client.core import Metric

from speech_translator.api.dependencies import ApiState
from speech_translator.errors import CircuitOpen
from speech_translator.observability import Metrics, logger
from speech_translator.observability.metrics import counter, gauge
from speech_translator.reliability import CircuitBreakerRegistry, StateChange
from speech_translator.reliability.breaker_machine import BreakerState
from speech_translator.reliability.health_checks import HealthMonitor, Level, LevelChange
from speech_translator.scalability.events import (
    BatchDone,
    BrokerEvent,
    CallRejected,
    EngineExited,
    EngineOutgrown,
    EngineRestarting,
    FellBack,
    OwnerSuspended,
    Quarantined,
    RetryWithheld,
)
from speech_translator.streaming import LiveHub

_TROUBLE = (
    EngineExited,
    EngineOutgrown,
    EngineRestarting,
    Quarantined,
    OwnerSuspended,
    RetryWithheld,
    FellBack,
)
BREAKER_STATES: tuple[BreakerState, ...] = get_args(BreakerState)
LEVELS: tuple[Level, ...] = get_args(Level)
STATES = ("starting", "ready", "restarting", "failed", "missing")


class EngineEvents:
    """The broker's listener: counts its events, and logs what an operator wants to know.

    Attributes:
        answered: when each engine answered last, by ``time.monotonic``.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.answered: dict[str, float] = {}
        self._metrics = metrics
        self._log = logger("speech_translator.engines")

    def __call__(self, event: BrokerEvent) -> None:
        """Take one event."""
        if isinstance(event, BatchDone):
            self.answered[event.engine] = time.monotonic()
            self._metrics.batch_done(event.engine, event.size, event.queue_wait_s, event.seconds)
            return
        name = _event_name(type(event))
        self._metrics.engine_event(event.engine, name)
        if isinstance(event, CallRejected):
            return  # the request that it belongs to has a line of its own
        if isinstance(event, FellBack) and event.reason == CircuitOpen.code:
            return  # as often as it is asked for; the breaker's change has a line
        write = self._log.warning if isinstance(event, _TROUBLE) else self._log.info
        write(name, **asdict(event))


def _event_name(kind: type[object]) -> str:
    """``EngineExited`` is ``engine_exited``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


class BreakerEvents:
    """The breakers' listener: counts each change of state, and logs it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = logger("speech_translator.breakers")

    def __call__(self, change: StateChange) -> None:
        """Take one change, on whichever thread saw it."""
        self._metrics.breaker_change(change.name, change.state)
        write = self._log.warning if change.state == "open" else self._log.info
        write("breaker_changed", **asdict(change))


class HealthEvents:
    """The monitor's listener: a line for every check whose level changes."""

    def __init__(self) -> None:
        self._log = logger("speech_translator.health")

    def __call__(self, change: LevelChange) -> None:
        """Take one change; from *unknown* and to it there is nothing to tell."""
        if change.after in {"warning", "failed"}:
            self._log.warning("health_check_changed", **asdict(change))
        elif "unknown" not in {change.before, change.after}:
            self._log.info("health_check_changed", **asdict(change))


def current_figures(state: ApiState, live: LiveHub) -> Iterator[Metric]:
    """States, queues and restarts of engines, live sessions and the cache, read now."""
    services = state.services
    if services is None:
        return
    states = gauge("engine_state", "1 for the state that the engine is in.", ("engine", "state"))
    queued = gauge("engine_queued", "Calls that wait for the engine.", ("engine",))
    running = gauge("engine_in_flight", "Calls at the engine.", ("engine",))
    restarts = counter("engine_restarts", "Starts after the first one.", ("engine",))
    for name, status in services.broker.status().items():
        for known in STATES:
            states.add_metric((name, known), float(status.state == known))
        queued.add_metric((name,), status.queued)
        running.add_metric((name,), status.in_flight)
        restarts.add_metric((name,), status.restarts)
    yield from (states, queued, running, restarts)
    lost = counter("decoders_lost", "Decoders that crashed, hung or were killed at work.")
    lost.add_metric((), services.decoders.decoders_lost)
    yield lost
    draining = gauge("draining", "1 while the service is about to stop.")
    draining.add_metric((), float(state.draining))
    yield draining
    yield from _health_figures(state.health)
    yield _breaker_figures(services.breakers)
    tasks = gauge("event_loop_tasks", "Tasks of the event loop.")
    tasks.add_metric((), len(asyncio.all_tasks()))
    yield tasks
    sessions = gauge("live_sessions", "Live sessions that run.")
    sessions.add_metric((), len(live))
    readers = gauge("caption_readers", "Readers of shared captions.")
    readers.add_metric((), len(live.captions))
    yield from (sessions, readers)
    waiting = gauge("usage_waiting", "Requests whose usage the database does not know of yet.")
    waiting.add_metric((), state.metering.journal.waiting)
    yield waiting
    held = services.translator.cache_statistics()
    lookups = counter("cache_lookups", "Lookups of cached results.", ("outcome",))
    for outcome, value in (("hit", held.hits), ("miss", held.misses), ("joined", held.joined)):
        lookups.add_metric((outcome,), value)
    evictions = counter("cache_evictions", "Results dropped to make room.")
    evictions.add_metric((), held.evictions)
    entries = gauge("cache_entries", "Results that are held.")
    entries.add_metric((), held.entries)
    size = gauge("cache_bytes", "Bytes of results that are held.")
    size.add_metric((), held.bytes)
    yield from (lookups, evictions, entries, size)


def _health_figures(health: HealthMonitor | None) -> Iterator[Metric]:
    """The level of every check."""
    if health is None:
        return
    levels = gauge("health_check", "1 for the level that the check found.", ("check", "level"))
    for result in health.results():
        for known in LEVELS:
            levels.add_metric((result.name, known), float(result.level == known))
    yield levels


def _breaker_figures(registry: CircuitBreakerRegistry) -> Metric:
    """The state of every circuit breaker."""
    states = gauge("breaker_state", "1 for the state that it is in.", ("breaker", "state"))
    for breaker in registry.breakers():
        found = breaker.snapshot().state
        for known in BREAKER_STATES:
            states.add_metric((breaker.name, known), float(found == known))
    return states
