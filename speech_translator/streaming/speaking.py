"""Translations on their way to being spoken, one after the other, each clause by clause.

The first clause is heard while the others are still being made.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from speech_translator.scalability.results import Speech
from speech_translator.streaming.agreement import CLAUSE_END
from speech_translator.streaming.messages import SpokenAudio, Warned
from speech_translator.streaming.work import Speak

PIECE_S = 2.0
"""Longest piece of audio in one message, in seconds: 128 KiB of base64 at 24 kHz."""

LEAST_CHARS = 24
"""Shortest part of a sentence that is spoken by itself: shorter ones sound torn off."""


class SpeechQueue:
    """Holds what is to be spoken; what is too late is left out, as in any simultaneous speech.

    Args:
        limit: translations that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Speak] = deque()
        self._rest: deque[Speak] = deque()
        self._told = 0

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
        """Take out the next clause. The one before has been ``said``, or has ``failed``."""
        if not self._rest and self._waiting:
            whole = self._waiting.popleft()
            self._rest.extend(replace(whole, text=clause) for clause in clauses(whole.text))
            self._told = 0
        return self._rest.popleft() if self._rest else None

    def said(self, speak: Speak, speech: Speech) -> list[SpokenAudio]:
        """The messages that carry what was spoken; none where there was nothing to say."""
        step = round(PIECE_S * speech.sample_rate)
        pcm = (np.clip(speech.samples, -1.0, 1.0) * 32_767).round().astype("<i2")
        ends = not self._rest
        # The end is told even where the last clause, as one of signs alone, is silent.
        starts = range(0, max(len(pcm), 1 if ends and self._told else 0), step)
        first, self._told = self._told, self._told + len(starts)
        return [
            SpokenAudio(
                segment_id=speak.segment_id,
                language=speak.language.tag,
                index=first + number,
                last=ends and number == len(starts) - 1,
                sample_rate=speech.sample_rate,
                audio=pcm[start : start + step].tobytes(),
            )
            for number, start in enumerate(starts)
        ]

    def failed(self) -> None:
        """A clause could not be spoken: the rest of its sentence is not, either."""
        self._rest.clear()


def clauses(text: str) -> list[str]:
    """A sentence in the parts that are spoken one by one; together they are all of it."""
    found: list[str] = []
    start = 0
    for end in (match.end() for match in CLAUSE_END.finditer(text)):
        if end - start >= LEAST_CHARS and len(text) - end >= LEAST_CHARS:
            found.append(text[start:end].strip())
            start = end
    return [*found, text[start:].strip()]
