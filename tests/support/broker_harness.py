"""A real broker over test engines, in processes or in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Priority, Result, TranslateCall
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.broker import Broker, EngineStatus, RestartConfig
from speech_translator.scalability.events import BrokerEvent

ROOT = Path(__file__).parents[2]
QUICK = RestartConfig(first=0.02, last=0.5)


@dataclass
class Harness:
    """A broker, what it told, and a short way to ask it."""

    broker: Broker
    events: list[BrokerEvent]

    async def ask(
        self, text: str, *, seconds: float = 60, engine: str = "echo", owner: str = ""
    ) -> Result:
        return await self.broker.submit(
            engine,
            TranslateCall(text, "en", "pt"),
            priority=Priority.INTERACTIVE,
            deadline=Deadline.after(seconds),
            owner=owner,
        )

    async def ask_all(self, *texts: str) -> list[Result | BaseException]:
        """Ask at once; errors are values."""
        return await asyncio.gather(*map(self.ask, texts), return_exceptions=True)

    def status(self) -> EngineStatus:
        return self.broker.status()["echo"]

    async def until(self, state: str, *, restarts: int = 0, seconds: float = 60) -> None:
        """Wait for a state after so many restarts."""
        async with asyncio.timeout(seconds):
            while self.status().state != state or self.status().restarts < restarts:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def told(self, kind: type[BrokerEvent]) -> list[BrokerEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def spec(
    factory: str = "load", limits: dict[str, object] | None = None, **options: object
) -> EngineSpec:
    """The engine ``echo``: ``options`` are the engine's, ``limits`` the broker's."""
    return EngineSpec(
        name="echo",
        task="translation",
        factory=f"tests.support.engines:{factory}",
        options=options,
        environment={"PYTHONPATH": str(ROOT)},
        **(limits or {}),  # type: ignore[arg-type]
    )


@asynccontextmanager
async def running(
    *,
    inline: bool = False,
    ready: bool = True,
    limits: dict[str, object] | None = None,
    restarts: RestartConfig = QUICK,
    breakers: CircuitBreakerRegistry | None = None,
    **options: object,
) -> AsyncIterator[Harness]:
    """A broker with one engine; it is ready unless told otherwise."""
    events: list[BrokerEvent] = []
    broker = Broker(
        [spec(limits=limits, **options)],
        listener=events.append,
        inline=inline,
        restarts=restarts,
        breakers=breakers,
    )
    await broker.start()
    try:
        if ready:
            await broker.wait_ready("echo", 60)
        yield Harness(broker, events)
    finally:
        await broker.stop(0.5)
