"""Raw live audio into samples for recognition: 16-bit PCM and G.711 mu-law.

Frames of a live stream are cut anywhere, also in the middle of a sample; what is left over waits
for the next one.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from speech_translator.errors import UnsupportedFormat
from speech_translator.media.resampling import SAMPLE_RATE, Samples, StreamResampler

PcmEncoding = Literal["pcm_s16le", "mulaw"]
PCM_RATES = (8_000, 16_000, 24_000, 48_000)

_S16_SCALE = np.float32(1 / 32_768)


def _mulaw_table() -> Samples:
    """ITU-T G.711 mu-law: the linear value of each code, scaled to [-1, 1]."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4 & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(code & 128, -magnitude, magnitude).astype(np.float32) * _S16_SCALE


class PcmDecoder:
    """Turns the bytes of one live stream into mono float32 at 16 kHz.

    Args:
        encoding: ``pcm_s16le`` (little-endian, mono) or ``mulaw`` (G.711).
        sample_rate: 8,000, 16,000, 24,000 or 48,000 Hz.

    Raises:
        UnsupportedFormat: another encoding or rate.
    """

    def __init__(self, encoding: str = "pcm_s16le", sample_rate: int = SAMPLE_RATE) -> None:
        if encoding not in get_args(PcmEncoding):
            raise UnsupportedFormat(
                "This audio encoding is not offered.", supported=list(get_args(PcmEncoding))
            )
        if sample_rate not in PCM_RATES:
            raise UnsupportedFormat(
                "This sample rate is not offered.", supported=[str(rate) for rate in PCM_RATES]
            )
        self.encoding = encoding
        self.sample_rate = sample_rate
        self._table = _mulaw_table() if encoding == "mulaw" else None
        self._rest = b""
        self._resampler = StreamResampler(sample_rate)

    def feed(self, data: bytes | bytearray | memoryview) -> Samples:
        """Samples that are ready after ``data``; it may be empty."""
        if self._table is not None:
            return self._resampler.feed(self._table[np.frombuffer(data, np.uint8)])
        joined = self._rest + bytes(data)
        whole = len(joined) & ~1
        self._rest = joined[whole:]
        linear = np.frombuffer(joined, "<i2", count=whole // 2)
        return self._resampler.feed(linear.astype(np.float32) * _S16_SCALE)

    def finish(self) -> Samples:
        """What the resampler held back; half a sample at the end is dropped."""
        self._rest = b""
        return self._resampler.finish()
