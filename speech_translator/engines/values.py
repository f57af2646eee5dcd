"""What goes into an engine and what comes out: plain frozen values that cross process borders.

Audio is mono ``float32`` in [-1, 1]; recognition takes 16 kHz. Times are seconds. Languages are
``Language.key`` strings (``en``, ``pt``, ``zh``, ``zh-Hant``).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Task = Literal["recognition", "translation", "synthesis", "voice_activity"]

SAMPLE_RATE = 16_000
"""Hz of all audio that goes into recognition and voice activity detection."""


class Priority(IntEnum):
    """Order of work in a queue: smaller goes first."""

    LIVE = 0
    INTERACTIVE = 1
    BULK = 2


class Voice(msgspec.Struct, frozen=True):
    """A voice of a synthesizer. ``id`` is unique over all engines, e.g. ``kokoro:pf_dora``."""

    id: str
    name: str
    language: str
    gender: Literal["female", "male", "unknown"] = "unknown"
    region: str | None = None


class EngineInfo(msgspec.Struct, frozen=True):
    """What a loaded engine says of itself.

    ``concurrency`` is the number of calls it runs side by side, ``preferred_batch`` the largest
    number of items that one call gains from. ``pairs`` and ``groups`` (translation; any two
    languages of a group are a pair, see ``directions.py``), ``languages`` and ``voices``
    (synthesis) are ``Language.key`` strings. ``to_english`` says that
    recognition can translate into English itself; ``rule_based`` that translations come from
    dictionaries and rules, not from a trained model; ``uses_context`` that a translator reads
    ``TranslateCall.glossary`` and ``.context``.
    """

    name: str
    task: Task
    concurrency: int = 1
    preferred_batch: int = 1
    models: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    languages: tuple[str, ...] = ()
    voices: tuple[Voice, ...] = ()
    to_english: bool = False
    rule_based: bool = False
    uses_context: bool = False


class Word(msgspec.Struct, frozen=True):
    """One word with its times in seconds from the start of the audio and its probability."""

    start: float
    end: float
    text: str
    probability: float


class Segment(msgspec.Struct, frozen=True):
    """A stretch of recognised speech; ``confidence`` in [0, 1]."""

    start: float
    end: float
    text: str
    confidence: float
    words: tuple[Word, ...] = ()


class Transcript(msgspec.Struct, frozen=True, tag="transcript"):
    """What recognition made of one clip. No speech gives no segments.

    ``language`` is what was spoken (also under ``task="translate"``), with its probability.
    """

    segments: tuple[Segment, ...]
    language: str
    language_confidence: float

    @property
    def text(self) -> str:
        """All segments, joined by single spaces."""
        return " ".join(s.text.strip() for s in self.segments if s.text.strip())


class Audio(msgspec.Struct, frozen=True, tag="audio"):
    """Synthesised speech: mono float32 samples at ``sample_rate`` Hz."""

    samples: Any  # Samples; typed loosely because msgspec cannot name an ndarray
    sample_rate: int


class SpeechProbabilities(msgspec.Struct, frozen=True, tag="speech_probabilities"):
    """One probability of speech for each 32 ms window, and the state to pass on for the next."""

    probabilities: Any  # float32[n_windows]
    state: bytes


class TranslateCall(msgspec.Struct, frozen=True, tag="translate"):
    """Translate one sentence or short paragraph.

    ``glossary`` says what will take the place of a marker in ``text`` (``("XQ1", "Datenbank")``),
    so that the words around it can agree with it; ``context`` is what comes before ``text``, in
    its language. Both are empty for engines that do not say ``uses_context``.
    """

    text: str
    source: str
    target: str
    glossary: tuple[tuple[str, str], ...] = ()
    context: str = ""

    def group(self) -> object:
        """Calls with equal groups may share a batch."""
        return (self.source, self.target)

    def size(self) -> float:
        """Relative cost, to put calls of like length together: characters."""
        return len(self.text)


class TranscribeCall(msgspec.Struct, frozen=True, tag="transcribe"):
    """Recognise one clip of at most 30 s, 16 kHz.

    ``task="translate"`` answers in English (Whisper's own route). ``prompt`` is preceding text
    or terms that bias recognition. ``draft`` asks for a first reading that is soon replaced: it
    comes in a short and bounded time, for nothing in it is tried a second time. ``likely`` is what
    was spoken just before, where ``language`` is to be detected: another one is to be surer.
    """

    audio: Any  # Samples
    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    word_timestamps: bool = False
    prompt: str | None = None
    draft: bool = False
    likely: str | None = None

    def group(self) -> object:
        """Calls with equal groups may share a batch."""
        return (self.language is None, self.task, self.word_timestamps, self.draft)

    def size(self) -> float:
        """Relative cost: seconds of audio."""
        return float(len(self.audio)) / SAMPLE_RATE


class SynthesizeCall(msgspec.Struct, frozen=True, tag="synthesize"):
    """Speak one sentence. ``voice`` is a ``Voice.id`` or None for the engine's default."""

    text: str
    language: str
    voice: str | None = None
    speed: float = 1.0

    def group(self) -> object:
        """Calls with equal groups may share a batch."""
        return (self.language, self.voice, self.speed)

    def size(self) -> float:
        """Relative cost: characters."""
        return len(self.text)


class DetectSpeechCall(msgspec.Struct, frozen=True, tag="detect_speech"):
    """Probability of speech in each 512-sample window of 16 kHz audio.

    ``state`` is what the previous answer for the same stream gave, or None at its start. The
    length must be a multiple of 512.
    """

    audio: Any  # Samples
    state: bytes | None = None

    def group(self) -> object:
        """Calls with equal groups may share a batch."""
        return len(self.audio)

    def size(self) -> float:
        """Relative cost: seconds of audio."""
        return float(len(self.audio)) / SAMPLE_RATE


Call = TranslateCall | TranscribeCall | SynthesizeCall | DetectSpeechCall
Result = str | Transcript | Audio | SpeechProbabilities
