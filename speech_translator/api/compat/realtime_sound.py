"""Spoken translations at the one rate that OpenAI's clients know. Pure."""

from __future__ import annotations

import numpy as np

from speech_translator.media.resampling import StreamResampler
from speech_translator.streaming.messages import SpokenAudio

SAMPLE_RATE = 24_000
"""Hz of OpenAI's audio, in and out."""

_SCALE = np.float32(32_768)


class Voice:
    """Resamples the speech of a session; the pieces of a sentence fit without a seam."""

    def __init__(self) -> None:
        self._segment = 0
        self._stream: StreamResampler | None = None

    def resampled(self, piece: SpokenAudio) -> bytes:
        """What is ready after a piece, as 16-bit PCM; it may be empty."""
        found = []
        stream = self._stream
        if stream is None or (self._segment, stream.from_rate) != (
            piece.segment_id,
            piece.sample_rate,
        ):
            if stream is not None and self._segment == piece.segment_id:
                found.append(stream.finish())  # the next clause has another rate
            stream = StreamResampler(piece.sample_rate, SAMPLE_RATE)
            self._segment, self._stream = piece.segment_id, stream
        linear = np.frombuffer(piece.audio, "<i2").astype(np.float32)
        found.append(stream.feed(linear / _SCALE))
        if piece.last:
            found.append(stream.finish())
            self._stream = None
        samples = np.clip(np.concatenate(found) * _SCALE, -32_768, 32_767)
        return bytes(samples.round().astype("<i2").tobytes())
