"""A broker whose engines are functions: for tests of what stands above it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from speech_translator.engines.values import (
    Audio,
    Call,
    DetectSpeechCall,
    EngineInfo,
    Priority,
    Result,
    Segment,
    SpeechProbabilities,
    SynthesizeCall,
    TranscribeCall,
    Transcript,
    TranslateCall,
)
from speech_translator.errors import DeadlineExceeded
from speech_translator.reliability.deadlines import Deadline


@dataclass
class State:
    state: str
    info: EngineInfo | None
    message: str = ""


@dataclass
class ScriptedEngine:
    """``answer`` may return a result, raise, or be replaced while a test runs."""

    info: EngineInfo
    answer: Callable[[Call], Result]
    state: str = "ready"
    hangs: bool = False
    calls: list[Call] = field(default_factory=list)


class ScriptedBroker:
    def __init__(self, *engines: ScriptedEngine) -> None:
        self.engines = {engine.info.name: engine for engine in engines}
        self.owners: set[str] = set()

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
        found = self.engines[engine]
        found.calls.append(call)
        self.owners.add(owner)
        await asyncio.sleep(0)
        if found.hangs:
            raise DeadlineExceeded("too late")
        answer = found.answer(call)
        if deadline.expired():
            raise DeadlineExceeded("too late")
        return answer

    def status(self) -> Mapping[str, State]:
        return {
            name: State(engine.state, None if engine.state == "starting" else engine.info)
            for name, engine in self.engines.items()
        }


def translator(name: str, *pairs: str, mark: str = "", rule_based: bool = False) -> ScriptedEngine:
    """Answers ``<mark or target>:<text>``."""

    def answer(call: Call) -> Result:
        assert isinstance(call, TranslateCall)
        return f"{mark or call.target}:{call.text}"

    directions = tuple((p.split("-")[0], p.split("-")[1]) for p in pairs)
    info = EngineInfo(name, "translation", pairs=directions, rule_based=rule_based)
    return ScriptedEngine(info, answer)


def detector() -> ScriptedEngine:
    """Hears speech wherever samples are not zero."""

    def answer(call: Call) -> Result:
        assert isinstance(call, DetectSpeechCall)
        windows = np.asarray(call.audio).reshape(-1, 512)
        return SpeechProbabilities((np.abs(windows).max(axis=1) > 0).astype(np.float32), b"state")

    return ScriptedEngine(EngineInfo("silero", "voice_activity"), answer)


def recogniser(
    language: str, *texts: str, to_english: bool = True, name: str = "whisper"
) -> ScriptedEngine:
    """Gives every clip the next of ``texts`` as one segment; English readings are marked."""
    left = list(texts)

    def answer(call: Call) -> Result:
        assert isinstance(call, TranscribeCall)
        seconds = len(call.audio) / 16_000
        said = f"English of {seconds:.0f} s." if call.task == "translate" else left.pop(0)
        return Transcript((Segment(0.0, seconds, said, 0.9),), language, 0.9)

    info = EngineInfo(
        name, "recognition", languages=("en", "pt", "fr", "de"), to_english=to_english
    )
    return ScriptedEngine(info, answer)


def speaker(name: str, *languages: str, rate: int = 24_000) -> ScriptedEngine:
    """Speaks a tenth of a second a character."""

    def answer(call: Call) -> Result:
        assert isinstance(call, SynthesizeCall)
        return Audio(np.full(len(call.text) * rate // 10, 0.5, np.float32), rate)

    from speech_translator.engines.values import Voice

    voices = tuple(Voice(f"{name}:{language}", name, language) for language in languages)
    return ScriptedEngine(EngineInfo(name, "synthesis", languages=languages, voices=voices), answer)
