"""What must be one per machine: queues, batches, and the engine processes behind them.

Calls go in by ``submit``; each engine has a lane of its own (``lane.py``) with replicas
(``engine_host.py``). A call is answered, or refused with a typed error, within its deadline; a
process that crashes or hangs loses none. The door fails closed: a full queue refuses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, Priority, Result
from speech_translator.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    Overloaded,
)
from speech_translator.reliability.deadlines import Clock, Deadline
from speech_translator.scalability.batching import Job
from speech_translator.scalability.engine_host import (
    Host,
    InlineHost,
    ProcessHost,
    RestartConfig,
)
from speech_translator.scalability.events import BrokerEvent, CallRejected
from speech_translator.scalability.lane import EngineStatus, Lane

__all__ = ["Broker", "EngineStatus"]

_DRAIN_POLL_S = 0.01


def _ignore(_event: BrokerEvent) -> None:
    """The listener for those who do not listen."""


class Broker:
    """Engines by name, each behind a bounded queue.

    Args:
        specs: the engines; names are unique.
        listener: told every event, on the event loop; it must be quick.
        inline: run engines in threads of this process: for tests and scripts.
        restarts: pauses between the starts of a process that does not stay up.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        specs: Sequence[EngineSpec],
        *,
        listener: Callable[[BrokerEvent], None] = _ignore,
        inline: bool = False,
        restarts: RestartConfig | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._specs = tuple(specs)
        self._listener = listener
        self._inline = inline
        self._restarts = restarts or RestartConfig()
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start all engines side by side; they load while this returns."""
        for spec in self._specs:
            lane = Lane(spec, self._listener, self._clock)
            self._lanes[spec.name] = lane
            for index in range(spec.replicas):
                lane.add(self._host(spec, index, lane))
            self._tasks += [asyncio.create_task(seat.host.run()) for seat in lane.seats]

    def _host(self, spec: EngineSpec, index: int, lane: Lane) -> Host:
        if self._inline:
            return InlineHost(spec, index, lane)
        return ProcessHost(spec, index, lane, self._restarts)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Refuse new calls, give those under way ``grace_s`` seconds, end all processes."""
        until = time.monotonic() + grace_s
        for lane in self._lanes.values():
            lane.closed = True
        lanes = self._lanes.values()
        while time.monotonic() < until and any(map(Lane.busy, lanes)):  # noqa: ASYNC110 # once
            await asyncio.sleep(_DRAIN_POLL_S)
        for lane in self._lanes.values():
            lane.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def submit(
        self, engine: str, call: Call, *, priority: Priority, deadline: Deadline, owner: str = ""
    ) -> Result:
        """The engine's answer to one call.

        A caller that is cancelled drops its call if it still waits; if it runs, its result is
        thrown away. ``owner`` is who the call is for; calls of one priority are first come, first
        served.

        Raises:
            Overloaded: the queue is full.
            DeadlineExceeded: no answer in time; a call that still waited never reaches the engine.
            EngineUnavailable: there is no such engine, or it does not start.
            EngineFailed, EngineTimeout, PoisonousInput: what this input did to the engine.
            InvalidRequest: the engine cannot take this input.
        """
        del owner  # the seam for fair shares
        lane = self._lane(engine)
        refusal = lane.refusal(call)
        if refusal is None and deadline.expired():
            refusal = DeadlineExceeded("The request's deadline has passed.")
        if refusal is None and lane.full():
            refusal = Overloaded("Too much is waiting for this engine.", retry_after=1.0)
        if refusal is not None:
            self._listener(CallRejected(engine, refusal.code))
            raise refusal
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        job = Job(call, priority, deadline, answer, self._clock())
        timer = loop.call_later(deadline.remaining(), _expire, answer)
        lane.push(job)
        try:
            return await answer
        finally:
            timer.cancel()
            lane.forget(job)

    def _lane(self, engine: str) -> Lane:
        lane = self._lanes.get(engine)
        if lane is None:
            raise EngineUnavailable(f"The engine {engine} is not switched on.")
        return lane

    async def wait_ready(self, engine: str | None = None, timeout_s: float = 60) -> None:
        """Wait until one engine, or all that are not missing or failed, have loaded.

        Raises:
            EngineUnavailable: it did not load in time, or cannot.
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
        if engine and (state := lanes[0].status()).state != "ready":
            raise EngineUnavailable(state.message or f"The engine {engine} does not start.")

    def status(self) -> Mapping[str, EngineStatus]:
        """Every engine as it is now."""
        return {name: lane.status() for name, lane in self._lanes.items()}


def _expire(answer: asyncio.Future[Result]) -> None:
    if not answer.done():
        answer.set_exception(
            DeadlineExceeded("The request's deadline passed before the answer was there.")
        )
