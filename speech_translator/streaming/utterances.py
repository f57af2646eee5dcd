"""Utterances of one session on their way from a closed boundary to a final, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from speech_translator.engines.values import SAMPLE_RATE, Samples
from speech_translator.errors import SpeechTranslatorError
from speech_translator.languages import Language
from speech_translator.scalability.results import Likely, Spoken
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import StartRequest
from speech_translator.streaming.voice_activity import WINDOW, Closed

_SURE = 0.8
_SURE_SPEECH_S = 1.0
_SHORT_SPEECH_S = 0.5


@dataclass(slots=True)
class Utterance:
    """A finished utterance.

    ``boundary`` is in windows, ``arrived_at`` is when the last of its speech came, ``closed_at``
    when it was found to have ended; ``wanted`` is the session as it was asked for by then;
    ``shown`` says that a partial of it was sent. ``outcome`` is set once it is interpreted or given
    up.
    """

    segment_id: int
    boundary: Closed
    samples: Samples
    arrived_at: float
    closed_at: float
    wanted: StartRequest
    shown: bool
    started: bool = False
    outcome: Interpretation | SpeechTranslatorError | None = None

    def settle(self, outcome: Interpretation | SpeechTranslatorError) -> None:
        """Note how it ended; it need not be begun."""
        self.started = True
        self.outcome = outcome

    @property
    def audio_start_s(self) -> float:
        """Where its audio begins in the session, in seconds."""
        return self.boundary.start * WINDOW / SAMPLE_RATE

    @property
    def start_s(self) -> float:
        """Where its speech begins in the session, in seconds."""
        return self.boundary.speech_start * WINDOW / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Where its speech ends in the session, in seconds."""
        return self.boundary.speech_end * WINDOW / SAMPLE_RATE

    @property
    def speech_s(self) -> float:
        """Length of its speech in seconds."""
        return self.end_s - self.start_s


class UtteranceQueue:
    """Finished utterances that are not yet final, in order; at most a few are worked on at once.

    Args:
        at_once: how many.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: deque[Utterance] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether another one could be begun at once."""
        return sum(utterance.outcome is None for utterance in self._waiting) < self._at_once

    @property
    def seconds(self) -> float:
        """Audio that is held here."""
        return sum(len(utterance.samples) for utterance in self._waiting) / SAMPLE_RATE

    @property
    def first(self) -> Utterance | None:
        """The oldest one."""
        return self._waiting[0] if self._waiting else None

    def add(self, utterance: Utterance) -> None:
        """Put one at the end."""
        self._waiting.append(utterance)

    def to_start(self) -> Iterator[Utterance]:
        """Those that should be begun now; each is given once."""
        busy = sum(each.started and each.outcome is None for each in self._waiting)
        for utterance in self._waiting:
            if busy >= self._at_once:
                return
            if not utterance.started:
                utterance.started = True
                busy += 1
                yield utterance

    def settle(self, segment_id: int, outcome: Interpretation | SpeechTranslatorError) -> None:
        """Note how one ended."""
        for utterance in self._waiting:
            if utterance.segment_id == segment_id:
                utterance.settle(outcome)

    def finished(self) -> Iterator[Utterance]:
        """Take out those that are done and have none before them that is not."""
        while self._waiting and self._waiting[0].outcome is not None:
            yield self._waiting.popleft()


class SpokenLanguage:
    """Which language the next utterance is recognised in.

    Args:
        given: what the client said, or None to detect it utterance by utterance. A single syllable
            cannot be told and is taken for what was surely spoken last.
        last: what was surely spoken before, where a session goes on.
    """

    def __init__(self, given: Language | None, last: Language | None = None) -> None:
        self._given = given
        self._last = given or last

    @property
    def last(self) -> Language | None:
        """The language that was surely spoken last; None before there is one."""
        return self._last

    def of(self, speech_s: float, heard: Language | None = None) -> Spoken:
        """The language of an utterance.

        Args:
            speech_s: the speech in it.
            heard: what an earlier decode of it was in.
        """
        if speech_s < _SHORT_SPEECH_S:
            return self._last
        likely = heard or self._last
        return self._given or (Likely(likely) if likely else None)

    def learn(self, utterance: Utterance, said: Interpretation) -> None:
        """Note what an utterance turned out to be in."""
        sure = said.confidence >= _SURE and utterance.speech_s >= _SURE_SPEECH_S
        if self._given is None and sure:
            self._last = said.language
