"""Contracts of the engines: synchronous, pure compute, batch-first. Protocols only.

An engine is loaded by a factory ``load(options: Mapping[str, object]) -> Engine`` inside its own
process. It may raise ``ModelMissing`` or ``ModelDamaged`` while loading, ``InvalidRequest`` for an
input that it cannot take, and any other exception for a fault of its own; a batch that raises is
bisected by the broker, so an engine never has to fail item by item. Methods are called from up to
``describe().concurrency`` threads at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from speech_translator.engines.values import (
    Audio,
    DetectSpeechCall,
    EngineInfo,
    SpeechProbabilities,
    SynthesizeCall,
    TranscribeCall,
    Transcript,
    TranslateCall,
)


class Engine(Protocol):
    """What every engine has."""

    def describe(self) -> EngineInfo:
        """Name, task, languages, and how it wants to be called. Cheap; the same at every call."""
        ...


class Translator(Engine, Protocol):
    """Text to text."""

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        """One translation for each call, in order. All calls share one ``group()``."""
        ...


class Transcriber(Engine, Protocol):
    """Speech to text."""

    def transcribe(self, calls: Sequence[TranscribeCall]) -> list[Transcript]:
        """One transcript for each clip, in order; times from the start of the clip."""
        ...


class Synthesizer(Engine, Protocol):
    """Text to speech."""

    def synthesize(self, calls: Sequence[SynthesizeCall]) -> list[Audio]:
        """One piece of audio for each call, in order. Text with nothing to say gives 0 samples."""
        ...


class SpeechDetector(Engine, Protocol):
    """Voice activity detection."""

    def detect_speech(self, calls: Sequence[DetectSpeechCall]) -> list[SpeechProbabilities]:
        """Probabilities for each clip, in order, with the state that continues it."""
        ...
