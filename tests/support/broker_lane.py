"""A lane over replicas that do what a test tells them: no process, no thread, no time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, EngineInfo, Priority, Result, TranslateCall
from speech_translator.errors import SpeechTranslatorError
from speech_translator.reliability import CircuitBreaker
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.batching import Job
from speech_translator.scalability.engine_breaker import breaker_config
from speech_translator.scalability.engine_host import Exit
from speech_translator.scalability.events import BrokerEvent, Reason
from speech_translator.scalability.lane import Lane
from speech_translator.scalability.seats import RestartConfig


class ScriptedHost:
    """Keeps what it was sent; a test answers for it."""

    def __init__(self, index: int, lane: Lane) -> None:
        self.index = index
        self.pid: int | None = None
        self.lane = lane
        self.sent: dict[int, list[str]] = {}
        self.order: list[list[str]] = []
        self.unsendable: dict[str, Exception] = {}
        self.killable = True
        self.killed = False
        self.retired = False
        self.seconds = 0.1

    async def run(self) -> None:
        """Nothing: the test plays the process."""

    def send(self, batch: int, calls: list[Call]) -> None:
        texts = [call.text for call in calls if isinstance(call, TranslateCall)]
        for text in texts:
            if text in self.unsendable:
                raise self.unsendable[text]
        self.sent[batch] = texts
        self.order.append(texts)

    def kill(self) -> bool:
        self.killed = True
        return self.killable

    def retire(self) -> None:
        assert not self.sent, "it still works on something"
        self.retired = True

    def ready(self, concurrency: int = 1, batch: int = 1) -> None:
        self.lane.on_starting(self)
        self.again(concurrency, batch)

    def again(self, concurrency: int = 1, batch: int = 1) -> None:
        info = EngineInfo("echo", "translation", concurrency=concurrency, preferred_batch=batch)
        self.lane.on_ready(self, info, 0.1)

    def answer(self, *texts: str) -> None:
        """The batch of exactly these texts is done; with no texts, the only one."""
        batch = self._batch(texts)
        done: Sequence[Result] = [f"pt:{text}" for text in self.sent.pop(batch)]
        self.lane.on_done(self, batch, done, self.seconds)

    def answer_all(self) -> None:
        """Answer whatever it has and whatever comes after."""
        while self.sent:
            self.answer(*next(iter(self.sent.values())))

    def refuse(self, error: SpeechTranslatorError, *texts: str) -> None:
        batch = self._batch(texts)
        del self.sent[batch]
        self.lane.on_failed(self, batch, error)

    def end(self, reason: Reason = "crashed", error: SpeechTranslatorError | None = None) -> float:
        """The process is gone; the pause before the next one."""
        self.sent.clear()
        return self.lane.on_gone(self, Exit(reason, error))

    def _batch(self, texts: tuple[str, ...]) -> int:
        if not texts:
            (number,) = self.sent
            return number
        return next(number for number, held in self.sent.items() if held == list(texts))

    def holds(self) -> list[list[str]]:
        return list(self.sent.values())


class World:
    """One lane, its replicas, a clock that stands still, and what was told."""

    def __init__(self, replicas: int = 1, **limits: float) -> None:
        self.now = 1000.0
        self.events: list[BrokerEvent] = []
        spec = EngineSpec(
            name="echo",
            task="translation",
            factory="none:none",
            replicas=replicas,
            **limits,  # type: ignore[arg-type]
        )
        restarts = RestartConfig(first=1.0, last=16.0, healthy_after=100.0, jitter=lambda: 1.0)
        self.breaker = CircuitBreaker("echo", breaker_config(spec), clock=self.clock)
        self.lane = Lane(spec, self.events.append, self.clock, restarts, self.breaker)
        self.hosts = [ScriptedHost(index, self.lane) for index in range(replicas)]
        for host in self.hosts:
            self.lane.add(host)

    @property
    def host(self) -> ScriptedHost:
        return self.hosts[0]

    def clock(self) -> float:
        return self.now

    def ask(
        self,
        *texts: str,
        priority: Priority = Priority.INTERACTIVE,
        seconds: float = 60,
        owner: str = "",
        weight: int = 1,
    ) -> list[asyncio.Future[Result]]:
        """Calls that are taken in but not yet begun; ``turn`` begins them."""
        jobs = [
            Job(
                TranslateCall(text, "en", "pt"),
                priority,
                Deadline(self.now + seconds, self.clock),
                asyncio.get_running_loop().create_future(),
                self.now,
                owner,
                weight,
            )
            for text in texts
        ]
        for job in jobs:
            self.lane.accept(job)
        return [job.answer for job in jobs]

    async def asked(self, *texts: str, **options: object) -> list[asyncio.Future[Result]]:
        answers = self.ask(*texts, **options)  # type: ignore[arg-type]
        await self.turn()
        return answers

    async def turn(self) -> None:
        """The event loop goes around."""
        for _ in range(3):
            await asyncio.sleep(0)

    def told(self, kind: type[BrokerEvent]) -> list[BrokerEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def outcome(answer: asyncio.Future[Result]) -> object:
    """The result, or the class of the error, or None while there is neither."""
    if not answer.done():
        return None
    error = answer.exception()
    return answer.result() if error is None else type(error)
