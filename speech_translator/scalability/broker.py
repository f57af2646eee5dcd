"""What must be one per machine: queues, batches, and the engine processes behind them.

Calls go in by ``submit``; each engine has a lane of its own (``lane.py``) with replicas
(``engine_host.py``). A call is answered, or refused with a typed error, within its deadline; a
process that crashes or hangs loses none. The door fails closed: a full queue refuses.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, Priority, Result
from speech_translator.errors import (
    ConfigurationError,
    DeadlineExceeded,
    EngineUnavailable,
    SpeechTranslatorError,
)
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.reliability.deadlines import Clock, Deadline
from speech_translator.scalability.batching import Job
from speech_translator.scalability.engine_breaker import breaker_config
from speech_translator.scalability.engine_host import Host, ProcessHost
from speech_translator.scalability.events import BrokerEvent, CallRejected
from speech_translator.scalability.growth import LOOK_S
from speech_translator.scalability.inline_host import InlineHost
from speech_translator.scalability.lane import Lane
from speech_translator.scalability.seats import EngineStatus, RestartConfig

__all__ = ["Broker", "EngineStatus", "RestartConfig"]

logger = logging.getLogger(__name__)


def _ignore(_event: BrokerEvent) -> None:
    """The listener for those who do not listen."""


class Broker:
    """Engines by name, each behind a bounded queue.

    Args:
        specs: the engines.
        listener: told every event, on the event loop; it must be quick. What it raises is logged.
        inline: run engines in threads of this process: for tests and scripts.
        restarts: pauses between the starts of a process that does not stay up.
        breakers: where the engines' are kept, by their names.
        clock: monotonic seconds.

    Raises:
        ConfigurationError: two engines have one name.
    """

    def __init__(
        self,
        specs: Sequence[EngineSpec],
        *,
        listener: Callable[[BrokerEvent], None] = _ignore,
        inline: bool = False,
        restarts: RestartConfig | None = None,
        breakers: CircuitBreakerRegistry | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        if len({spec.name for spec in specs}) < len(specs):
            raise ConfigurationError("Two engines have one name.")
        self._specs = tuple(specs)
        self._listener = listener
        self._inline = inline
        self._restarts = restarts or RestartConfig()
        self._clock = clock
        registry = breakers or CircuitBreakerRegistry(clock=clock)
        self._breakers = {
            spec.name: registry.get(spec.name, breaker_config(spec)) for spec in specs
        }
        self._lanes: dict[str, Lane] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._open: set[asyncio.Future[Result]] = set()

    async def start(self) -> None:
        """Start all engines side by side: they have been started, and load, when this returns."""
        for spec in self._specs:
            breaker = self._breakers[spec.name]
            lane = Lane(spec, self._tell, self._clock, self._restarts, breaker)
            self._lanes[spec.name] = lane
            for index in range(max(1, spec.replicas)):
                lane.add(self._host(spec, index, lane))
            self._tasks += [asyncio.create_task(seat.host.run()) for seat in lane.seats]
        self._tasks.append(asyncio.create_task(self._watch_growth()))
        await asyncio.sleep(0)

    async def _watch_growth(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for lane in self._lanes.values():
                lane.watch_growth()

    def _host(self, spec: EngineSpec, index: int, lane: Lane) -> Host:
        if self._inline:
            return InlineHost(spec, index, lane)
        return ProcessHost(spec, index, lane)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Refuse new calls, give those under way ``grace_s`` seconds, end all processes."""
        for lane in self._lanes.values():
            lane.refuse()
        if self._open:
            await asyncio.wait(self._open, timeout=grace_s)
        for lane in self._lanes.values():
            lane.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

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
        """The engine's answer to one call.

        A caller that is cancelled drops its call if it still waits; if it runs, its result is
        thrown away. ``owner`` is who the call is for: within a priority, owners are served by
        turns in the ratio of their ``weight``, each one's calls as they came.

        Raises:
            Overloaded: the queue is full, and nothing in it comes behind this call; or this one
                gave way to another.
            DeadlineExceeded: no answer in time; a call that still waited never reaches the engine.
            EngineUnavailable: there is no such engine, or it does not start.
            CircuitOpen: the engine failed lately, and is left alone for a moment.
            EngineFailed, EngineTimeout, PoisonousInput: what this input did to the engine.
            ShuttingDown: the broker is being stopped.
            InvalidRequest: the engine cannot take this input.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        job = Job(call, priority, deadline, answer, self._clock(), owner, weight)
        lane = self._lane(engine)
        try:
            deadline.check()
            lane.accept(job)
        except SpeechTranslatorError as refusal:
            self._tell(CallRejected(engine, refusal.code))
            raise
        timer = loop.call_later(deadline.remaining(), _expire, job)
        self._open.add(answer)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled():
                answer.exception()  # it came a moment too late for anybody to look at it
            raise
        finally:
            timer.cancel()
            self._open.discard(answer)
            lane.forget(job)

    def _lane(self, engine: str) -> Lane:
        lane = self._lanes.get(engine)
        if lane is None:
            raise EngineUnavailable(f"The engine {engine} is not switched on.")
        return lane

    async def wait_ready(self, engine: str | None = None, timeout_s: float = 60) -> None:
        """Wait until one engine is ready, or until none of all is still starting.

        Raises:
            EngineUnavailable: it did not load in time, or ``engine`` cannot.
        """
        lanes = [self._lane(engine)] if engine else list(self._lanes.values())
        try:
            async with asyncio.timeout(timeout_s):
                for lane in lanes:
                    while lane.state() in {"starting", "restarting"}:
                        lane.changed.clear()
                        await lane.changed.wait()
        except TimeoutError:
            raise EngineUnavailable("The engines did not load in time.") from None
        if engine and (status := lanes[0].status()).state != "ready":
            raise EngineUnavailable(status.message or f"The engine {engine} does not start.")

    def status(self) -> Mapping[str, EngineStatus]:
        """Every engine as it is now."""
        return {name: lane.status() for name, lane in self._lanes.items()}

    def _tell(self, event: BrokerEvent) -> None:
        try:
            self._listener(event)
        except Exception:
            logger.exception("A listener failed on %s", type(event).__name__)


def _expire(job: Job) -> None:
    """The deadline has passed; a timer may be early by a tick."""
    if job.answer.done():
        return
    left = job.deadline.remaining()
    if left > 0:
        asyncio.get_running_loop().call_later(left, _expire, job)
    else:
        job.answer.set_exception(
            DeadlineExceeded("The request's deadline passed before the answer was there.")
        )
