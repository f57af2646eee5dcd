"""What the async door answers: frozen values, shaped for routes, live sessions and the CLI."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech_translator.engines.values import Priority, Samples, Word
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who asks, how urgently, and until when; ``weight`` is their share beside others."""

    deadline: Deadline
    owner: str = "anonymous"
    priority: Priority = Priority.INTERACTIVE
    use_cache: bool = True
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Likely:
    """What was spoken just before: it is still spoken unless another language is much surer."""

    language: Language


Spoken = Language | Likely | None
"""What is spoken, as far as it is known: for sure, probably, or not at all."""


@dataclass(frozen=True, slots=True)
class Translation:
    """One translated text.

    ``route`` names each step, e.g. ``("bergamot:en-pt",)``; ``degraded`` says that a fallback
    answered; ``rule_based`` that dictionaries and rules made it, at least in part;
    ``detected_language`` is set when the source was ``auto``.
    """

    text: str
    source: Language
    target: Language
    engine: str
    route: tuple[str, ...]
    cached: bool = False
    degraded: bool = False
    rule_based: bool = False
    detected_language: Language | None = None


@dataclass(frozen=True, slots=True)
class TranscribedSegment:
    """A stretch of speech with times in seconds, and its translation when a target was given."""

    id: int
    start: float
    end: float
    text: str
    confidence: float
    words: tuple[Word, ...] = ()
    translation: str | None = None


@dataclass(frozen=True, slots=True)
class Transcription:
    """A whole recording. ``duration`` in seconds; ``language_confidence`` in [0, 1].

    ``language`` is None when it was to be detected and nothing was said; ``degraded`` says that a
    fallback recognised it.
    """

    text: str
    language: Language | None
    language_confidence: float
    duration: float
    segments: tuple[TranscribedSegment, ...]
    engine: str
    translation: Translation | None = None
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken text: mono float32 samples at ``sample_rate`` Hz; ``voice`` is a ``Voice.id``.

    ``degraded`` says that a fallback spoke.
    """

    samples: Samples = field(repr=False)
    sample_rate: int
    voice: str
    engine: str
    language: Language
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class SpokenTranslation:
    """Speech translated into speech, with both texts."""

    transcription: Transcription
    speech: Speech
