"""A live session over scripted engines and a clock that only the test moves.

Speech is made of *words*: each is a stretch of one amplitude of its own, so that what recognition
was given can be read from the samples. Recognition answers the words that it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from speech_translator.engines.values import Samples, SpeechProbabilities
from speech_translator.errors import SpeechTranslatorError
from speech_translator.languages import Language
from speech_translator.scalability.results import Speech
from speech_translator.streaming.config import SessionConfig, SessionLimits
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import AudioFormat, ServerEvent, StartRequest
from speech_translator.streaming.resuming import SessionState
from speech_translator.streaming.session import LiveSession
from speech_translator.streaming.work import (
    Action,
    Cancel,
    Close,
    Detect,
    Foresee,
    Guess,
    Interpret,
    Render,
    Retranslate,
    Save,
    Send,
    Speak,
    Start,
    Work,
)

WINDOW = 512
E = TypeVar("E", bound=ServerEvent)

ENGLISH, PORTUGUESE = Language("en"), Language("pt")


def word(number: int, windows: int = 16) -> Samples:
    """A stretch of sound that says ``w<number>``; number from 1 to 900."""
    return np.full(windows * WINDOW, number / 1000, np.float32)


def silence(windows: int) -> Samples:
    return np.zeros(windows * WINDOW, np.float32)


def words_in(samples: Samples) -> list[str]:
    levels = np.round(np.asarray(samples) * 1000).astype(int)
    return [f"w{level}" for level in dict.fromkeys(levels.tolist()) if level]


def probabilities_of(samples: Samples) -> SpeechProbabilities:
    windows = samples.reshape(-1, WINDOW)
    return SpeechProbabilities((np.abs(windows).max(axis=1) > 0).astype(np.float32), b"state")


def interpretation(samples: Samples, targets: Sequence[Language]) -> Interpretation:
    text = " ".join(words_in(samples))
    if not text:
        return Interpretation("", None, 0.0)
    return Interpretation(text, ENGLISH, 0.9, {t.tag: f"{t.tag}:{text}" for t in targets})


def request(
    *,
    source: Language | None = ENGLISH,
    targets: tuple[Language, ...] = (PORTUGUESE,),
    partials: bool = False,
    speech: bool = False,
    voice: str | None = None,
    barge_in: bool = False,
) -> StartRequest:
    return StartRequest(source, targets, AudioFormat(), partials, speech, voice, barge_in=barge_in)


@dataclass
class Simulation:
    """Runs a session; detection answers at once, other work when the test says so."""

    request: StartRequest = field(default_factory=request)
    limits: SessionLimits = field(default_factory=SessionLimits)
    now: float = 100.0
    auto: bool = True  # whether all work is answered at once
    foresight: bool = True  # whether silences are decoded on the chance of an end
    events: list[ServerEvent] = field(default_factory=list)
    works: dict[int, Work] = field(default_factory=dict)
    started: list[Work] = field(default_factory=list)
    state: SessionState | None = None
    last_seq: int | None = None
    seqs: list[int] = field(default_factory=list)
    saved: list[SessionState] = field(default_factory=list)
    closed: object = None
    speech_s: float = 5.0  # of every clause that is spoken
    detection: Callable[[Samples], SpeechProbabilities] = probabilities_of

    def __post_init__(self) -> None:
        if not self.foresight:
            endpoint = replace(self.limits.endpoint, early_silence_s=1e6)
            self.limits = replace(self.limits, endpoint=endpoint)
        state = self.state or SessionState("session", "{}")
        config = SessionConfig(state, self.request, "token", self.last_seq)
        self.session = LiveSession(config, self.limits, clock=lambda: self.now)
        self.perform(self.session.begin())

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            assert self.closed is None, "an action after Close"
            match action:
                case Send(seq=seq, event=event):
                    self.seqs.append(seq)
                    self.events.append(event)
                case Save(state=state):
                    self.saved.append(state)
                case Start(work_id=work_id, work=work):
                    assert work_id not in self.works
                    self.works[work_id] = work
                    self.started.append(work)
                case Cancel(work_id=work_id):
                    del self.works[work_id]
                case Close(why=why):
                    self.closed = why
        if self.auto:
            self.answer_all()

    def answer_all(self, kind: type[Work] | None = None) -> None:
        while ids := [i for i, work in self.works.items() if isinstance(work, kind or object)]:
            self.answer(ids[0])

    def answer(self, work_id: int) -> None:
        work = self.works.pop(work_id)
        match work:
            case Detect():
                result = self.detection(work.samples)
            case Guess():
                result = interpretation(work.samples, ())
            case Interpret() | Foresee():
                result = interpretation(work.samples, work.targets)
            case Render():
                texts = {t.tag: f"{t.tag}:{work.text}" for t in work.targets}
                result = Interpretation(work.text, work.language, 0.0, texts)
            case Retranslate():
                texts = {t.tag: f"{t.tag}:{work.said.text}" for t in work.targets}
                left = {tag: error for tag, error in work.said.failures.items() if tag not in texts}
                translations = {**work.said.translations, **texts}
                result = replace(work.said, translations=translations, failures=left)
            case Speak():
                sound = np.full(round(24_000 * self.speech_s / work.speed), 0.5, np.float32)
                result = Speech(sound, 24_000, "voice", "kokoro", work.language)
        self.perform(self.session.complete(work_id, result))

    def fail(self, work_id: int, error: SpeechTranslatorError) -> None:
        self.works.pop(work_id)
        self.perform(self.session.fail(work_id, error))

    def hear(self, *pieces: Samples, frame: int = 1600) -> None:
        """Audio in frames, in its own time; detection is answered even where ``auto`` is off."""
        audio = np.concatenate(pieces)
        for start in range(0, len(audio), frame):
            piece = audio[start : start + frame]
            self.now += len(piece) / 16_000
            self.perform(self.session.receive_audio(piece))
            self.answer_all(Detect)

    def end(self) -> None:
        self.perform(self.session.end("end"))
        self.answer_all(Detect)

    def tick(self, seconds: float) -> None:
        """Let time pass as a driver would: the session is woken when it asked for it."""
        until = self.now + seconds
        while (at := self.session.next_timeout()) is not None and at <= until:
            self.now = max(self.now, at)
            before = self.session.next_timeout()
            self.perform(self.session.handle_timeout())
            assert self.closed is not None or self.session.next_timeout() != before, "busy loop"
        self.now = until

    def only(self, kind: type[Work]) -> int:
        (found,) = [work_id for work_id, work in self.works.items() if isinstance(work, kind)]
        return found

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]
