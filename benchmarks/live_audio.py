"""Speech for the benchmarks of live sessions, with marks that no detector of ours has set.

The marks say where each recording's speech begins and ends. They were read off the recordings'
loudness (the first and the last 10 ms within 30 dB of the peak) and listened to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.support import recordings

RATE = recordings.SAMPLE_RATE
MARKS = {
    "0870": (0.07, 7.03),
    "0880": (0.00, 2.93),
    "0890": (0.26, 5.10),
    "0920": (0.26, 5.82),
    "0930": (0.00, 3.20),
}
"""Start and end of speech in seconds, by the number of the LibriVox utterance."""

_NOISE = 10 ** (-62 / 20)
_QUIET = 10 ** (-30 / 20)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in composed audio; times in seconds of it."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Talk:
    """Composed audio, mono float32 at 16 kHz, and what is said in it."""

    samples: npt.NDArray[np.float32]
    sentences: tuple[Sentence, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / RATE

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(sentence.text for sentence in self.sentences)

    def pcm(self) -> bytes:
        """16-bit little-endian PCM."""
        return (np.clip(self.samples, -1, 1) * 32_767).astype("<i2").tobytes()


def talk(pauses_s: Sequence[float], *, seed: int = 0, first: int = 0) -> Talk:
    """Recordings one after the other, as many as there are pauses, over a soft noise.

    Args:
        pauses_s: silence before each recording, in seconds; 1 s more stands at the end.
        seed: of the noise.
        first: which recording begins.
    """
    found = recordings.librivox()
    clips = []
    for number in range(len(pauses_s)):
        recording = found[(first + number) % len(found)]
        start, end = MARKS[recording.name[-4:]]
        clips.append((recording.text, recording.samples[int(start * RATE) : int(end * RATE)]))
    return composed(clips, pauses_s, seed=seed)


def composed(
    clips: Sequence[tuple[str, npt.NDArray[np.float32]]],
    pauses_s: Sequence[float],
    *,
    seed: int = 0,
) -> Talk:
    """Clips, with what is said in each, one after the other over a soft noise.

    Args:
        clips: text and 16 kHz samples, which begin and end with speech.
        pauses_s: silence before each clip, in seconds; 1 s more stands at the end.
        seed: of the noise.
    """
    noise = np.random.default_rng(seed)
    pieces: list[npt.NDArray[np.float32]] = []
    sentences = []
    at = 0.0
    for (text, speech), pause in zip(clips, pauses_s, strict=True):
        pieces += [np.zeros(int(pause * RATE), np.float32), speech]
        at += int(pause * RATE) / RATE
        sentences.append(Sentence(text, at, at + len(speech) / RATE))
        at += len(speech) / RATE
    samples = np.concatenate([*pieces, np.zeros(RATE, np.float32)])
    hiss = noise.normal(0.0, _NOISE, len(samples)).astype(np.float32)
    return Talk((samples + hiss).astype(np.float32), tuple(sentences))


def trimmed(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Speech without what is more than 30 dB below its peak around it."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * _QUIET)
    return samples[loud[0] : loud[-1] + 1]
