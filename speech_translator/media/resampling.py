"""Sample-rate conversion by libsoxr, in one go or as a stream.

Audio is mono ``float32`` in [-1, 1]. soxr's "HQ" recipe (20 bits of precision) is used throughout;
its stream holds back about 20 to 40 ms, which ``finish`` hands out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
"""Hz of everything that leaves this package for recognition."""

_QUALITY = "HQ"


def resample(samples: npt.NDArray[np.floating], from_rate: int, to_rate: int) -> Samples:
    """All of ``samples`` at ``to_rate`` Hz; equal rates give the input back.

    Raises:
        ValueError: a rate that is not above 0, or samples that are not mono.
    """
    if samples.ndim != 1:
        raise ValueError("samples must be mono, shape (n,)")
    if from_rate <= 0 or to_rate <= 0:
        raise ValueError("sample rates must be above 0")
    mono = np.ascontiguousarray(samples, dtype=np.float32)
    if from_rate == to_rate or mono.size == 0:
        return mono
    import soxr  # noqa: PLC0415 - numpy alone is enough for most importers of this package

    return np.asarray(soxr.resample(mono, from_rate, to_rate, quality=_QUALITY), dtype=np.float32)


class StreamResampler:
    """Resamples one stream chunk by chunk; the whole has the length of the one-shot result.

    Args:
        from_rate: Hz of what comes in.
        to_rate: Hz of what goes out.
    """

    def __init__(self, from_rate: int, to_rate: int = SAMPLE_RATE) -> None:
        if from_rate <= 0 or to_rate <= 0:
            raise ValueError("sample rates must be above 0")
        self.from_rate = from_rate
        self.to_rate = to_rate
        self._stream = None
        if from_rate != to_rate:
            import soxr  # noqa: PLC0415 - as above

            self._stream = soxr.ResampleStream(
                from_rate, to_rate, 1, dtype="float32", quality=_QUALITY
            )

    def feed(self, samples: Samples) -> Samples:
        """What is ready after ``samples``; it may be empty."""
        return self._process(samples, last=False)

    def finish(self) -> Samples:
        """What was held back. The resampler takes nothing after it."""
        return self._process(np.zeros(0, np.float32), last=True)

    def _process(self, samples: Samples, *, last: bool) -> Samples:
        if self._stream is None:
            return samples
        chunk = np.ascontiguousarray(samples, dtype=np.float32)
        return np.asarray(self._stream.resample_chunk(chunk, last=last), dtype=np.float32)
