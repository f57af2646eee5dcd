"""Whether engines still compute: each is given a tiny call where nothing else has asked it lately.

The call goes through the broker, behind everything else that waits, so that it disturbs no work;
where work is answered, none is sent. An engine of a remote server is asked in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

import numpy as np

from speech_translator.engines.directions import Directions
from speech_translator.engines.values import (
    SAMPLE_RATE,
    Audio,
    Call,
    DetectSpeechCall,
    EngineInfo,
    Priority,
    Result,
    SpeechProbabilities,
    SynthesizeCall,
    TranscribeCall,
    Transcript,
    TranslateCall,
)
from speech_translator.errors import (
    AnswerRejected,
    DeadlineExceeded,
    Overloaded,
    ShuttingDown,
)
from speech_translator.reliability.deadlines import Clock, Deadline
from speech_translator.reliability.health_checks import Finding
from speech_translator.scalability.engine_access import CallBroker
from speech_translator.scalability.seats import EngineStatus

ANSWER_S = 20.0
"""Seconds for the tiny call: it waits behind all the work that there is."""

OWNER = "health"
_WINDOW = 512
_BUSY = (Overloaded, DeadlineExceeded)


@dataclass(slots=True)
class EngineProbe:
    """One engine's probe.

    Args:
        broker: runs the call.
        engine: its name.
        answered: when each engine answered last, by ``clock``; kept by the broker's listener.
        idle_s: seconds without an answer after which it is asked.
        draining: whether the service is about to stop, and begins nothing new.
        clock: monotonic seconds.
    """

    broker: CallBroker
    engine: str
    answered: MutableMapping[str, float]
    idle_s: float
    draining: Callable[[], bool] = lambda: False
    clock: Clock = time.monotonic

    async def __call__(self) -> Finding:
        """When it answered last; it is asked where that is too long ago. Raises what that does."""
        status = self.broker.status().get(self.engine)
        if status is None or status.info is None or status.state != "ready":
            return _not_ready(status)
        begun = self.clock()
        last = self.answered.get(self.engine)
        if last is not None and begun - last < self.idle_s:
            return Finding("ok", f"answered {begun - last:.0f} s ago")
        call = tiny_call(status.info)
        if call is None or self.draining():
            return Finding("unknown", "not asked")
        return await self._ask(call, begun)

    async def _ask(self, call: Call, begun: float) -> Finding:
        try:
            result = await self.broker.submit(
                self.engine,
                call,
                priority=Priority.BULK,
                deadline=Deadline.after(ANSWER_S, clock=self.clock),
                owner=OWNER,
            )
        except _BUSY:
            if self.answered.get(self.engine, begun) > begun:
                return Finding("ok", "busy, and answering")
            raise
        except AnswerRejected:  # it works; what it says of so little is of no matter
            return self._well(begun)
        except ShuttingDown:
            return Finding("unknown", "not asked")
        if not is_answer(call, result):
            return Finding("failed", "its answer is none")
        return self._well(begun)

    def _well(self, begun: float) -> Finding:
        now = self.answered[self.engine] = self.clock()
        return Finding("ok", f"answered in {now - begun:.2f} s")


def _not_ready(status: EngineStatus | None) -> Finding:
    if status is not None and status.state == "failed":
        return Finding("failed", status.message)
    return Finding("unknown", "not installed" if status is None else status.state)


def tiny_call(info: EngineInfo) -> Call | None:
    """As little work as an engine can be given; None where it names no language to give it in."""
    match info.task:
        case "translation":
            pair = next(iter(Directions.of(info)), None)
            return None if pair is None else TranslateCall("OK.", *pair)
        case "recognition":
            silence = np.zeros(SAMPLE_RATE, np.float32)
            return TranscribeCall(silence, "en" if "en" in info.languages else None)
        case "synthesis":
            if not info.voices:
                return None
            return SynthesizeCall("OK.", info.voices[0].language, info.voices[0].id)
        case "voice_activity":
            return DetectSpeechCall(np.zeros(_WINDOW, np.float32))


def is_answer(call: Call, result: Result) -> bool:
    """Whether a result is one that the call can have."""
    match call:
        case TranslateCall():
            return isinstance(result, str) and bool(result.strip())
        case TranscribeCall():
            return isinstance(result, Transcript)
        case SynthesizeCall():
            return isinstance(result, Audio) and len(result.samples) > 0
        case DetectSpeechCall():
            return isinstance(result, SpeechProbabilities) and len(result.probabilities) == 1
