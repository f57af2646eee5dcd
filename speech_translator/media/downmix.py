"""Frames of any layout and sample format into clean mono. Runs inside the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from speech_translator.media.resampling import Samples

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

_PLANES_IN_FRAME = 8
"""AV_NUM_DATA_POINTERS: as many channel planes have room in libav's own frame structure."""


def to_mono(frame: AudioFrame) -> Samples:
    """The mean of all channels, scaled to [-1, 1]; any layout, any PCM sample format."""
    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= _PLANES_IN_FRAME:
        frame = _pack(frame)
    data = frame.to_ndarray()
    per_channel = data if frame.format.is_planar else data.reshape(-1, channels).T
    with np.errstate(all="ignore"):  # hostile floats overflow; clean() deals with them
        mean = per_channel.mean(axis=0, dtype=np.float64)
        if data.dtype == np.uint8:
            mean = (mean - 128.0) / 128.0
        elif data.dtype == np.int16:
            mean = mean / 2.0**15
        elif data.dtype == np.int32:
            mean = mean / 2.0**31
        return np.asarray(mean, dtype=np.float32)


def _pack(frame: AudioFrame) -> AudioFrame:
    """The same frame with its channels interleaved.

    PyAV 18 looks for the end of a frame's list of planes by a null pointer, which from eight planes
    on is not there: it would read memory that is not the frame's.
    """
    resampler = av.AudioResampler(format=frame.format.packed.name)
    (packed,) = resampler.resample(frame)
    return packed


def clean(samples: Samples) -> Samples:
    """NaN as silence, infinities and overshoot as full scale."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
