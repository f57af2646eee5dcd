"""Translations on their way to being spoken, one after the other."""

from __future__ import annotations

from collections import deque

import numpy as np

from speech_translator.scalability.results import Speech
from speech_translator.streaming.messages import SpokenAudio, Warned
from speech_translator.streaming.work import Speak

PIECE_S = 2.0
"""Longest piece of audio in one message, in seconds: 128 KiB of base64 at 24 kHz."""


class SpeechQueue:
    """Holds what is to be spoken; what is too late is left out, as in any simultaneous speech.

    Args:
        limit: translations that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Speak] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, speak: Speak) -> Warned | None:
        """Put one at the end; a warning where the oldest had to give way."""
        self._waiting.append(speak)
        if len(self._waiting) <= self._limit:
            return None
        return Warned(
            code="speech_skipped",
            message="Speech output is behind: this segment is not spoken.",
            segment_id=self._waiting.popleft().segment_id,
        )

    def next(self) -> Speak | None:
        """Take out the next one."""
        return self._waiting.popleft() if self._waiting else None


def pieces(speak: Speak, speech: Speech) -> list[SpokenAudio]:
    """The messages that carry what was spoken; none where there was nothing to say."""
    step = round(PIECE_S * speech.sample_rate)
    pcm = (np.clip(speech.samples, -1.0, 1.0) * 32_767).round().astype("<i2")
    starts = range(0, len(pcm), step)
    return [
        SpokenAudio(
            segment_id=speak.segment_id,
            language=speak.language.tag,
            index=index,
            last=index == len(starts) - 1,
            sample_rate=speech.sample_rate,
            audio=pcm[start : start + step].tobytes(),
        )
        for index, start in enumerate(starts)
    ]
