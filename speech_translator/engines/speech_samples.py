"""What every synthesizer does to its samples: trim, join, and keep them in range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speech_translator.engines.values import Audio, Samples

MARGIN_S = 0.04
"""Quiet that is left before the first and after the last sound, in seconds."""

_FRAME_S = 0.01
_FLOOR_DB = -46.0  # below the loudest frame: a final /s/ or /f/ lies above it, hiss below


def silence(seconds: float, sample_rate: int) -> Samples:
    """Zeros."""
    return np.zeros(round(seconds * sample_rate), np.float32)


def trimmed(samples: Samples, sample_rate: int) -> Samples:
    """``samples`` without the quiet at both ends, but for ``MARGIN_S``; empty if there is no sound.

    A frame of 10 ms counts as quiet when it is 46 dB below the loudest one.
    """
    frame = int(_FRAME_S * sample_rate)
    count = len(samples) // frame
    if count == 0:
        return samples
    power = np.square(samples[: count * frame].reshape(count, frame)).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (_FLOOR_DB / 10))
    if not len(loud):
        return samples[:0]
    margin = int(MARGIN_S * sample_rate)
    start = max(0, int(loud[0]) * frame - margin)
    return samples[start : (int(loud[-1]) + 1) * frame + margin]


def audio(pieces: Sequence[Samples], sample_rate: int) -> Audio:
    """The pieces joined, finite and in [-1, 1]."""
    if not pieces:
        return Audio(np.zeros(0, np.float32), sample_rate)
    joined = np.nan_to_num(np.concatenate(pieces), copy=False)
    return Audio(np.clip(joined, -1.0, 1.0, out=joined), sample_rate)
