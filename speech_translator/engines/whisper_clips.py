"""What goes through the model: clips, and what is left of one that it stopped in. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from speech_translator.engines.values import SAMPLE_RATE, Samples, Segment, TranscribeCall
from speech_translator.errors import InvalidRequest

INAUDIBLE_PEAK = 3e-4
"""Peak below which a clip is not decoded: ten steps of 16 bit, -70 dBFS."""

_MIN_REST_S = 1.0
_REST_LOUDNESS = 0.15
_LOUDNESS_WINDOW = SAMPLE_RATE // 10


@dataclass(slots=True)
class Clip:
    """One call on its way through the model.

    ``segments`` and, where it was to be detected, ``language`` and ``confidence`` are what a run
    fills in.
    """

    call: TranscribeCall
    audio: Samples
    language: str | None
    prompt: list[int]
    confidence: float = 1.0
    segments: list[Segment] = field(default_factory=list)

    @classmethod
    def of(cls, call: TranscribeCall, language: str | None, prompt: list[int]) -> Clip:
        """A clip with finite mono samples.

        Raises:
            InvalidRequest: the audio is not one-dimensional.
        """
        audio = np.asarray(call.audio, dtype=np.float32)
        if audio.ndim != 1:
            raise InvalidRequest("Audio must be mono: one dimension of samples.")
        if not np.isfinite(audio).all():
            audio = np.nan_to_num(audio, nan=0.0, posinf=1.0, neginf=-1.0)
        return cls(call, audio, language, prompt)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.audio) / SAMPLE_RATE

    @property
    def audible(self) -> bool:
        """Whether there is anything to hear at all."""
        return bool(len(self.audio)) and float(np.abs(self.audio).max()) >= INAUDIBLE_PEAK


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is decoded in one go: a clip, or the rest of one from ``offset`` seconds on."""

    clip: Clip
    offset: float = 0.0

    @property
    def audio(self) -> Samples:
        """Samples from the offset on."""
        return self.clip.audio[int(self.offset * SAMPLE_RATE) :]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.clip.duration - self.offset


def rest_of(stretch: Stretch, resume: float) -> Stretch | None:
    """What is left of a clip from ``resume`` on, where there is still speech."""
    if stretch.duration - resume < _MIN_REST_S:
        return None
    rest = Stretch(stretch.clip, stretch.offset + resume)
    return rest if _is_loud(rest.audio, stretch.clip.audio) else None


def _is_loud(rest: Samples, whole: Samples) -> bool:
    """Whether the loudest moment of ``rest`` comes near to that of the whole clip."""
    return _peak_loudness(rest) >= _REST_LOUDNESS * _peak_loudness(whole)


def _peak_loudness(audio: Samples) -> float:
    """Root mean square of the loudest 100 ms."""
    usable = len(audio) // _LOUDNESS_WINDOW * _LOUDNESS_WINDOW
    if not usable:
        return 0.0
    blocks = audio[:usable].reshape(-1, _LOUDNESS_WINDOW)
    return float(np.sqrt(np.mean(np.square(blocks), axis=1).max()))
