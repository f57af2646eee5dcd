"""What a session wants done: the actions that it hands to its driver, and when to try again."""

from __future__ import annotations

from dataclasses import dataclass

from speech_translator.engines.values import Samples
from speech_translator.errors import ShuttingDown, SpeechTranslatorError, Unavailable
from speech_translator.languages import Language
from speech_translator.scalability.results import Spoken
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import EndReason, ServerEvent
from speech_translator.streaming.resuming import SessionState

MAX_ATTEMPTS = 5
"""Times that a piece of work is tried while the engines are in trouble, with 15 s of waits."""

_FIRST_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Detect:
    """Find the probabilities of speech; answered by ``SpeechProbabilities``."""

    samples: Samples
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Interpret:
    """Recognise and translate a finished utterance; answered by an ``Interpretation``."""

    segment_id: int
    samples: Samples
    language: Spoken
    targets: tuple[Language, ...] = ()


@dataclass(frozen=True, slots=True)
class Retranslate:
    """Translate a recognised utterance again into the targets that failed.

    Answered by ``said`` with what came of it.
    """

    segment_id: int
    samples: Samples
    said: Interpretation
    targets: tuple[Language, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """The same for an utterance that still runs: worth little, and nothing when it is late."""

    segment_id: int
    samples: Samples
    language: Spoken


@dataclass(frozen=True, slots=True)
class Foresee:
    """``Interpret`` on the chance that an utterance has ended: silence has begun."""

    segment_id: int
    samples: Samples
    language: Spoken
    targets: tuple[Language, ...] = ()


@dataclass(frozen=True, slots=True)
class Render:
    """Translate what is confirmed of a running utterance; answered by an ``Interpretation``."""

    segment_id: int
    text: str
    language: Language
    targets: tuple[Language, ...] = ()


@dataclass(frozen=True, slots=True)
class Speak:
    """Speak a translation; answered by ``Speech``."""

    segment_id: int
    text: str
    language: Language
    voice: str | None = None
    speed: float = 1.0


Work = Detect | Interpret | Retranslate | Guess | Foresee | Render | Speak


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a piece of work; report to ``complete`` or ``fail`` under its id."""

    work_id: int
    work: Work


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give a piece of work up; nothing is reported."""

    work_id: int


@dataclass(frozen=True, slots=True)
class Send:
    """Tell the client, under that number."""

    seq: int
    event: ServerEvent


@dataclass(frozen=True, slots=True)
class Save:
    """Keep the session before anything more is sent."""

    state: SessionState


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket once everything is sent; the session is over."""

    why: EndReason | SpeechTranslatorError


Action = Start | Cancel | Save | Send | Close


def may_pass(error: SpeechTranslatorError | None) -> bool:
    """Whether the same work may succeed a little later."""
    return isinstance(error, Unavailable) and not isinstance(error, ShuttingDown)


class Jobs:
    """Work under way, and work that waits for its next try."""

    def __init__(self) -> None:
        self._works: dict[int, Work] = {}
        self._attempts: dict[int, int] = {}
        self._retry_at: dict[int, float] = {}
        self._last = 0

    def __len__(self) -> int:
        """How many."""
        return len(self._works)

    def start(self, work: Work) -> Start:
        """Begin a piece of work."""
        self._last += 1
        self._works[self._last] = work
        self._attempts[self._last] = 1
        return Start(self._last, work)

    def get(self, work_id: int) -> Work | None:
        """The work of that id; None when it was given up before."""
        return self._works.get(work_id)

    def take(self, work_id: int) -> Work | None:
        """The work of that id, which is over; None when it was given up before."""
        self._attempts.pop(work_id, None)
        self._retry_at.pop(work_id, None)
        return self._works.pop(work_id, None)

    def cancel(self, kind: type[Work]) -> list[Cancel]:
        """Give up all work of a kind."""
        found = [work_id for work_id, work in self._works.items() if isinstance(work, kind)]
        for work_id in found:
            self.take(work_id)
        return [Cancel(work_id) for work_id in found]

    def adopt(self, segment_id: int) -> bool:
        """What was begun on the chance of an end is the utterance's own work now, if it runs."""
        for work_id, work in self._works.items():
            if isinstance(work, Foresee) and work.segment_id == segment_id:
                self._works[work_id] = Interpret(
                    segment_id, work.samples, work.language, work.targets
                )
                return True
        return False

    def busy(self, kind: type[Work]) -> bool:
        """Whether there is work of that kind."""
        return any(isinstance(work, kind) for work in self._works.values())

    def retry(self, work_id: int, error: SpeechTranslatorError, now: float) -> bool:
        """Plan another try after a failure; False where there should be none."""
        if work_id not in self._works:
            return False
        attempts = self._attempts[work_id]
        if not may_pass(error) or attempts >= MAX_ATTEMPTS:
            return False
        self._attempts[work_id] = attempts + 1
        self._retry_at[work_id] = now + _FIRST_WAIT_S * 2.0 ** (attempts - 1)
        return True

    def translate_again(self, work_id: int, said: Interpretation, now: float) -> bool:
        """Plan another try at those of its targets that failed and may yet succeed, if any.

        What was recognised stays: the work becomes a ``Retranslate``.
        """
        work = self._works.get(work_id)
        if not isinstance(work, Interpret | Retranslate):
            return False
        failed = tuple(target for target in work.targets if may_pass(said.failures.get(target.tag)))
        if not failed:
            return False
        if not self.retry(work_id, said.failures[failed[0].tag], now):
            return False
        self._works[work_id] = Retranslate(work.segment_id, work.samples, said, failed)
        return True

    def next_retry(self) -> float | None:
        """When ``due`` next has something."""
        return min(self._retry_at.values(), default=None)

    def due(self, now: float) -> list[Start]:
        """Work to try again now."""
        ready = [work_id for work_id, at in self._retry_at.items() if at <= now]
        for work_id in ready:
            del self._retry_at[work_id]
        return [Start(work_id, self._works[work_id]) for work_id in ready]
