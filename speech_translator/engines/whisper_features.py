"""Log-Mel features for Whisper, and how long a window of them an utterance needs.

Whisper was trained on windows of 30 s, to which everyone pads; its encoder's cost grows with the
window, so that a sentence of 4 s pays for 30. The encoder takes shorter windows as well. Below
``MIN_FRAMES`` the decoder falls into repetition loops, and without room behind the speech it drops
last words, hence ``MARGIN_S``.

The features are those of OpenAI's reference (Radford et al. 2022, https://arxiv.org/abs/2212.04356,
section 2.2): 25 ms Hann windows every 10 ms, Slaney's Mel scale, logarithm, the loudest 80 dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from speech_translator.engines.values import SAMPLE_RATE, Samples

Floats = npt.NDArray[np.float32]

HOP = 160
"""Samples from one frame to the next: 10 ms."""

FULL_FRAMES = 3000
"""The window that Whisper was trained on: 30 s."""

MIN_FRAMES = 1000
"""The shortest window that does not make the decoder loop: 10 s."""

MARGIN_S = 2.0
"""Silence behind the speech that a window has room for, in seconds."""

_STEP = 100
_FFT = 400
_BINS = _FFT // 2 + 1
_TOP_MEL = 45.245640471924965  # 8 kHz
_LINEAR_MELS = 15.0  # below 1 kHz Slaney's scale is linear, 200 / 3 Hz a Mel
_LINEAR_HZ = 200.0 / 3.0
_LOG_STEP = np.log(6.4) / 27.0
_FLOOR = 1e-10
_DYNAMIC_RANGE = 8.0


def window_frames(seconds: Sequence[float]) -> int:
    """Frames of the window that clips of these lengths share.

    Rounded up to whole seconds: few shapes, so that memory is reused from call to call.
    """
    needed = int(np.ceil((max(seconds) + MARGIN_S) * 100))
    return min(FULL_FRAMES, max(MIN_FRAMES, -(-needed // _STEP) * _STEP))


def log_mel(audio: Samples, frames: int, n_mels: int) -> Floats:
    """Features of shape (n_mels, frames): ``audio``, and silence to the end of the window.

    Args:
        audio: mono float32 at 16 kHz; what goes beyond the window is cut off.
        frames: length of the window.
        n_mels: 80, or 128 for large-v3.
    """
    length = min(len(audio), frames * HOP)
    # Silence is one value after the logarithm, so only the sound itself is transformed.
    sounding = min(frames, -(-(length + _FFT // 2) // HOP))
    padded = np.zeros(sounding * HOP + _FFT, np.float32)
    half = _FFT // 2
    padded[half : half + length] = audio[:length]
    if length > half:
        padded[:half] = audio[half:0:-1]
    strips = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[: sounding * HOP : HOP]
    spectrum = np.fft.rfft(strips * _hann(), axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.log10(np.maximum(_filters(n_mels) @ power.T.astype(np.float32), _FLOOR))
    floor = mel.max(initial=np.log10(_FLOOR)) - _DYNAMIC_RANGE
    features = np.full((n_mels, frames), max(floor, np.log10(_FLOOR)), np.float32)
    features[:, :sounding] = np.maximum(mel, floor)
    return (features + np.float32(4.0)) / np.float32(4.0)


@cache
def _hann() -> Floats:
    return np.hanning(_FFT + 1)[:-1].astype(np.float32)


@cache
def _filters(n_mels: int) -> Floats:
    """Triangular filters of shape (n_mels, 201), each of the same area (Slaney)."""
    mels = np.linspace(0.0, _TOP_MEL, n_mels + 2)
    edges = np.where(
        mels < _LINEAR_MELS,
        mels * _LINEAR_HZ,
        1000.0 * np.exp(_LOG_STEP * (mels - _LINEAR_MELS)),
    )
    bins = np.linspace(0.0, SAMPLE_RATE / 2, _BINS)
    widths = np.diff(edges)[:, None]
    distance = edges[:, None] - bins[None, :]
    rising = -distance[:-2] / widths[:-1]
    falling = distance[2:] / widths[1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    weights = np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]
    return np.asarray(weights, dtype=np.float32)
