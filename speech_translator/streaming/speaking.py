"""Translations on their way to being spoken, one after the other, each clause by clause. Pure.

The first clause is heard while the others are still being made. Speech that is longer than what it
translates would come later and later: a sentence is spoken faster where others are still being
heard, and made no sooner than it will soon be heard, so that of too many the oldest give way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from speech_translator.scalability.results import Speech
from speech_translator.streaming.clauses import spoken_parts, spoken_s
from speech_translator.streaming.messages import SpokenAudio, Warned
from speech_translator.streaming.playback import Pace, Playback
from speech_translator.streaming.work import Speak

PIECE_S = 2.0
"""Longest piece of audio in one message, in seconds: 128 KiB of base64 at 24 kHz."""

AHEAD_S = 20.0
"""Speech that may be sent before it can be heard, in seconds; further sentences wait unmade."""

MAX_SPEED = 1.25
"""Of speech that is behind; 1 is the voice's own pace. Faster is hard to follow."""

_TICK_S = 1e-6
_BEHIND_S = 3.0
_FAR_BEHIND_S = 8.0


class SpeechQueue:
    """Holds what is to be spoken; what is too late is left out, as in any simultaneous speech.

    Args:
        limit: translations that may wait.
        playback: told what the client hears, by the clock.
        pace: of the talk, by whose time it is judged what is late.
    """

    def __init__(self, limit: int, playback: Playback, pace: Pace) -> None:
        self.pace = pace
        self._limit = limit
        self._playback = playback
        self._in_talk = Playback()
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

    def next(self, now: float, *, last: bool = False) -> Speak | None:
        """Take out the next clause. The one before has been ``said``, or has ``failed``.

        Args:
            now: by the clock, here and below.
            last: no more sentences come: the rest need not wait.

        Returns:
            None where there is none, or the next one has to wait until ``wakes_at``.
        """
        wakes_at = self.wakes_at
        if not self._rest and wakes_at is not None and (last or now + _TICK_S >= wakes_at):
            speak = self._waiting.popleft()
            left_s = self._in_talk.left_s(now + self.pace.ahead_s)
            waiting_s = sum(spoken_s(other.text) for other in self._waiting)
            whole = replace(speak, speed=speed_of(left_s + waiting_s))
            parts = spoken_parts(whole.text, whole.language.key)
            self._rest.extend(replace(whole, text=part) for part in parts)
            self._told = 0
        return self._rest.popleft() if self._rest else None

    @property
    def wakes_at(self) -> float | None:
        """When a sentence that waits may be spoken; None where none waits."""
        if not self._waiting:
            return None
        return self._in_talk.until - self.pace.ahead_s - AHEAD_S

    def interrupt(self, now: float) -> bool:
        """Whoever listens begins to speak: what is left is not spoken. False in silence."""
        if not self._in_talk.sounds(now + self.pace.ahead_s):
            return False
        self._waiting.clear()
        self._rest.clear()
        for playback in (self._playback, self._in_talk):
            playback.stop()
        return True

    def said(self, speak: Speak, speech: Speech, now: float) -> list[SpokenAudio]:
        """The messages that carry what was spoken; none where there was nothing to say."""
        seconds = len(speech.samples) / speech.sample_rate
        self._playback.plays(seconds, now)
        self._in_talk.plays(seconds, now + self.pace.ahead_s)
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


def speed_of(behind_s: float) -> float:
    """How fast a sentence is spoken while so much is not yet heard before it, or waits behind it.

    It is one speed for all clauses of a sentence: a voice that changes its pace sounds torn.
    """
    share = (behind_s - _BEHIND_S) / (_FAR_BEHIND_S - _BEHIND_S)
    return round(1.0 + (MAX_SPEED - 1.0) * min(1.0, max(0.0, share)), 2)
