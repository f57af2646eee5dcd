"""Engines that hear, say and fail with what a test looks for; run in processes of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

import numpy as np

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import (
    Audio,
    DetectSpeechCall,
    EngineInfo,
    Segment,
    SpeechProbabilities,
    SynthesizeCall,
    Task,
    TranscribeCall,
    Transcript,
    TranslateCall,
    Voice,
)
from speech_translator.errors import EngineFailed

HEARD = "Heard kanarie-spoken-5f21."
"""What every recording says."""


def _act(text: str) -> None:
    """What a mark in a text does to its engine."""
    if "RAISE" in text:
        raise RuntimeError(text)
    if "REFUSE" in text:
        raise EngineFailed("The engine could not.") from ValueError(text)
    if "CRASH" in text:
        os._exit(1)
    if "SLOW" in text:
        time.sleep(3)


class Translator:
    """Answers ``<target>:<text>``."""

    def describe(self) -> EngineInfo:
        return EngineInfo("bergamot", "translation", pairs=(("en", "pt"), ("pt", "en")))

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        for call in calls:
            _act(call.text)
        return [f"{call.target}:{call.text}" for call in calls]


class Recogniser:
    """Hears ``HEARD``; fails with it where the language is French."""

    def describe(self) -> EngineInfo:
        return EngineInfo("whisper", "recognition", languages=("en", "pt", "fr"), to_english=True)

    def transcribe(self, calls: Sequence[TranscribeCall]) -> list[Transcript]:
        if any(call.language == "fr" for call in calls):
            raise RuntimeError(HEARD)
        return [
            Transcript((Segment(0.0, len(call.audio) / 16_000, HEARD, 0.9),), "en", 0.9)
            for call in calls
        ]


class Detector:
    """Hears speech wherever samples are not zero."""

    def describe(self) -> EngineInfo:
        return EngineInfo("silero", "voice_activity")

    def detect_speech(self, calls: Sequence[DetectSpeechCall]) -> list[SpeechProbabilities]:
        windows = [np.abs(call.audio.reshape(-1, 512)).max(axis=1) for call in calls]
        return [SpeechProbabilities((one > 0).astype(np.float32), b"state") for one in windows]


class Speaker:
    """Speaks a tenth of a second a character; fails with the text where the voice is ``broken``."""

    def describe(self) -> EngineInfo:
        voices = (Voice("kokoro:pt", "pt", "pt"), Voice("kokoro:broken", "broken", "pt"))
        return EngineInfo("kokoro", "synthesis", languages=("pt",), voices=voices)

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        for call in calls:
            if call.voice == "kokoro:broken":
                raise RuntimeError(call.text)
        return [Audio(np.full(len(call.text) * 2400, 0.5, np.float32), 24_000) for call in calls]


def load(options: Mapping[str, object]) -> object:
    """The engine of a task."""
    made: dict[object, type] = {
        "translation": Translator,
        "recognition": Recogniser,
        "voice_activity": Detector,
        "synthesis": Speaker,
    }
    return made[options["task"]]()


def specs(*_args: object) -> list[EngineSpec]:
    """All of them, in place of the registry's."""
    tasks: dict[str, Task] = {
        "bergamot": "translation",
        "whisper": "recognition",
        "silero": "voice_activity",
        "kokoro": "synthesis",
    }
    factory = "tests.support.canary_engines:load"
    return [
        EngineSpec(name=name, task=task, factory=factory, options={"task": task})
        for name, task in tasks.items()
    ]
