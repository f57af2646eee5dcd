"""The running utterance: when a partial of it is worth a decode, and what was shown of it."""

from __future__ import annotations

from speech_translator.engines.values import SAMPLE_RATE
from speech_translator.languages import Language
from speech_translator.streaming.hearing import Hearing
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.utterances import Utterance
from speech_translator.streaming.voice_activity import WINDOW, Closed, Opened
from speech_translator.streaming.work import Guess

MIN_AUDIO_S = 0.8
"""Audio that a first partial needs; shorter clips are mostly misheard."""

_SHORTEST_S = 0.4
_LONGEST_S = 3.0
_REST = 2.0


class PartialPacer:
    """Spaces the partials of one session so that they take at most half of a core's time.

    After a decode of ``d`` seconds the next one starts no sooner than ``2 d`` after its start.
    """

    def __init__(self) -> None:
        self._interval = _SHORTEST_S
        self._started = float("-inf")

    def due(self, now: float) -> bool:
        """Whether another one may start."""
        return now - self._started >= self._interval

    def started(self, now: float) -> None:
        """A decode has begun."""
        self._started = now

    def finished(self, now: float) -> None:
        """It has answered."""
        self._interval = min(_LONGEST_S, max(_SHORTEST_S, _REST * (now - self._started)))

    def dropped(self) -> None:
        """It was too late or failed: the machine is busy and is left alone for longer."""
        self._interval = min(_LONGEST_S, 2 * self._interval)


class OpenUtterance:
    """The utterance that still runs.

    Args:
        segment_id: its number.
        opened: where it began.
    """

    def __init__(self, segment_id: int, opened: Opened) -> None:
        self.segment_id = segment_id
        self.shown = False
        self._opened = opened
        self._guessed_to = 0

    @property
    def start_s(self) -> float:
        """Where its speech begins in the session, in seconds."""
        return self._opened.speech_start * WINDOW / SAMPLE_RATE

    @property
    def guessed_to_s(self) -> float:
        """Where speech ended when it was last decoded, in seconds."""
        return self._guessed_to * WINDOW / SAMPLE_RATE

    def close(self, boundary: Closed, hearing: Hearing, now: float) -> Utterance:
        """The finished utterance; settled already where it held no speech after all."""
        utterance = Utterance(
            self.segment_id,
            boundary,
            hearing.read(boundary.start, boundary.end),
            arrived_at=hearing.arrived_at(boundary.speech_end),
            closed_at=now,
            shown=self.shown,
        )
        if not boundary.spoken:
            utterance.started = True
            utterance.outcome = Interpretation("", None, 0.0)
        return utterance

    def guess(self, hearing: Hearing, language: Language | None) -> Guess | None:
        """What to decode for a partial; None where nothing new was said or it is too short."""
        speech_end = hearing.speech_end
        if speech_end <= self._guessed_to:
            return None
        samples = hearing.read(self._opened.start)
        if len(samples) < MIN_AUDIO_S * SAMPLE_RATE:
            return None
        self._guessed_to = speech_end
        return Guess(self.segment_id, samples, language)
