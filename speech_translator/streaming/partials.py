"""The running utterance: when a partial of it is worth a decode, and what was shown of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from speech_translator.engines.values import SAMPLE_RATE
from speech_translator.languages import Language
from speech_translator.streaming.agreement import Agreement
from speech_translator.streaming.clauses import clause_ends
from speech_translator.streaming.hearing import Hearing
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import Partial, StartRequest
from speech_translator.streaming.utterances import SpokenLanguage, Utterance
from speech_translator.streaming.voice_activity import WINDOW, Closed, Opened
from speech_translator.streaming.work import Foresee, Guess, Render

MIN_AUDIO_S = 0.6
"""Audio that a first partial needs; shorter clips are mostly misheard."""

SURE = 0.5
"""Certainty of a decode from which two that agree confirm words; otherwise it takes more."""

_GUESS_SILENCE_S = 0.1
"""In a longer silence no partial is decoded: the decode on the chance of an end comes soon."""

_SENTENCE_END = re.compile(r"(?:(?<!\.)\.|[!?。！？])[\"'”’»)]*\s*$")
_SHORTEST_S = 0.3
_LONGEST_S = 3.0
_REST = 1.25
_SLOW_REST = 2.0
_QUICK_S = 0.3


class PartialPacer:
    """Spaces the partials of one session: often while the machine is free, seldom when it is not.

    After a decode that was there ``d`` seconds after it was asked for, the wait behind others
    included, the next one starts no sooner than ``1.25 d`` after its start; the slower it is, the
    nearer to ``2 d``.
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
        spent = now - self._started
        wanted = max(_SHORTEST_S, _REST * spent, _SLOW_REST * spent - _QUICK_S)
        self._interval = min(_LONGEST_S, wanted)

    def dropped(self) -> None:
        """It was too late or failed: the machine is busy and is left alone for longer."""
        self._interval = min(_LONGEST_S, 2 * self._interval)


class OpenUtterance:
    """The utterance that still runs: what was heard of it so far, and what it would be if it ended.

    Args:
        segment_id: its number.
        opened: where it began.
    """

    def __init__(self, segment_id: int, opened: Opened) -> None:
        self.segment_id = segment_id
        self.shown = False
        self.translations: Mapping[str, str] = {}
        self._opened = opened
        self._guessed_to = 0
        self._foreseen_to = 0
        self._foreseen: Interpretation | None = None
        self._agreement = Agreement()
        self._language: Language | None = None
        self._rendered = ""

    @property
    def start_s(self) -> float:
        """Where its speech begins in the session, in seconds."""
        return self._opened.speech_start * WINDOW / SAMPLE_RATE

    @property
    def guessed_to_s(self) -> float:
        """Where speech ended when it was last decoded, in seconds."""
        return max(self._guessed_to, self._foreseen_to) * WINDOW / SAMPLE_RATE

    def speech_s(self, hearing: Hearing) -> float:
        """Length of its speech so far, in seconds."""
        return hearing.speech_end * WINDOW / SAMPLE_RATE - self.start_s

    def close(
        self, boundary: Closed, hearing: Hearing, wanted: StartRequest, now: float
    ) -> Utterance:
        """The finished utterance; settled already where that is known."""
        utterance = Utterance(
            self.segment_id,
            boundary,
            hearing.read(boundary.start, boundary.end),
            arrived_at=hearing.arrived_at(boundary.speech_end),
            closed_at=now,
            wanted=wanted,
            shown=self.shown,
        )
        if not boundary.spoken:
            utterance.settle(Interpretation("", None, 0.0))
        elif self.foresaw(boundary) and self._foreseen is not None and not self._foreseen.failures:
            utterance.settle(self._foreseen)
        return utterance

    def foresaw(self, boundary: Closed) -> bool:
        """Whether the utterance ended as it was decoded on the chance of."""
        return boundary.speech_end == self._foreseen_to and not boundary.capped

    def guess(self, hearing: Hearing, spoken: SpokenLanguage) -> Guess | None:
        """What to decode for a partial; None where nothing new was said or it is too short."""
        speech_end = hearing.speech_end
        if speech_end <= self._guessed_to or hearing.silence_s > _GUESS_SILENCE_S:
            return None
        samples = hearing.read(self._opened.start)
        if len(samples) < MIN_AUDIO_S * SAMPLE_RATE:
            return None
        self._guessed_to = speech_end
        language = spoken.of(self.speech_s(hearing), self._language)
        return Guess(self.segment_id, samples, language)

    def foresee(
        self, hearing: Hearing, spoken: SpokenLanguage, targets: tuple[Language, ...]
    ) -> Foresee | None:
        """What to decode on the chance that the utterance has ended; None where it goes on."""
        speech_end = hearing.speech_end
        heard = max(self._foreseen_to, self._opened.speech_start)
        if not hearing.may_have_ended or speech_end <= heard:
            return None
        self._foreseen_to = self._guessed_to = speech_end
        self._foreseen = None
        samples = hearing.read_ended(self._opened.start)
        language = spoken.of(self.speech_s(hearing), self._language)
        return Foresee(self.segment_id, samples, language, targets)

    def retarget(self) -> None:
        """Other languages are wanted: what was translated is forgotten, and so is a foresight."""
        self.translations = {}
        self._rendered = ""
        self._foreseen_to, self._foreseen = 0, None

    def heard(self, said: Interpretation, *, ended: bool, hearing: Hearing) -> bool:
        """Take in a decode; whether it stands for the whole of what was said so far.

        Args:
            said: what was recognised.
            ended: it is the answer to ``Foresee``.
            hearing: the session's audio.
        """
        if said.text:
            if said.language != self._language:  # words of another one agree with nothing
                self._agreement, self._rendered, self.translations = Agreement(), "", {}
            self._agreement.hear(said.text, ended=ended, sure=said.certainty >= SURE)
            self._language = said.language
        current = ended and hearing.speech_end == self._foreseen_to
        if current:
            self._foreseen = said
            self.translations = said.translations
        return current

    def render(self, targets: tuple[Language, ...]) -> Render | None:
        """What to translate for a partial: the clauses that were confirmed since the last time."""
        if self._language is None:
            return None
        clauses = self._agreement.hypothesis.clauses(self._language.key)
        if len(clauses) <= len(self._rendered):
            return None
        self._rendered = clauses
        return Render(self.segment_id, clauses, self._language, targets)

    def partial(self) -> Partial:
        """What it sounds like so far."""
        found = self._agreement.hypothesis
        return Partial(
            segment_id=self.segment_id,
            start=round(self.start_s, 3),
            end=round(self.guessed_to_s, 3),
            text=found.text,
            confirmed_chars=found.confirmed_chars,
            language=self._language.tag if self._language else None,
            translations=dict(self.translations),
        )


def is_whole(text: str, language: Language | None) -> bool:
    """Whether a text ends as a sentence does: not with an abbreviation, and not with dots."""
    if _SENTENCE_END.search(text) is None:
        return False
    text = text.rstrip()
    if language is None or not text.endswith("."):
        return True
    return clause_ends(text, language.key)[-1:] == [len(text)]
