"""One live session as a state machine: events in, actions out, an injected clock, no I/O.

Audio goes through voice activity detection into utterances; each finished utterance is recognised
and translated, and told as a ``final`` in the order of speech. Nothing final is lost: an utterance
leaves its queue only as a ``final``, as an ``error`` that names its segment, or because nothing
was said in it. Every queue is bounded by not reading the socket (``reading``); partials and speech
output give way first. The shape (inputs return what to do next, the caller does the I/O) is that
of https://sans-io.readthedocs.io.
"""

from __future__ import annotations

from speech_translator.engines.values import SAMPLE_RATE, Samples, SpeechProbabilities
from speech_translator.errors import ProtocolViolation, ShuttingDown, SpeechTranslatorError
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Clock
from speech_translator.scalability.results import Speech
from speech_translator.streaming import telling
from speech_translator.streaming.config import SessionConfig, SessionLimits
from speech_translator.streaming.event_log import EventLog
from speech_translator.streaming.hearing import Hearing
from speech_translator.streaming.idleness import IdleWatch
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import (
    Done,
    EndReason,
    ServerEvent,
    StartRequest,
    Unshared,
    UpdateMessage,
    Warned,
)
from speech_translator.streaming.partials import OpenUtterance, PartialPacer, is_whole
from speech_translator.streaming.playback import Pace, Playback
from speech_translator.streaming.progress import Progress
from speech_translator.streaming.speaking import SpeechQueue
from speech_translator.streaming.utterances import SpokenLanguage, Utterance, UtteranceQueue
from speech_translator.streaming.voice_activity import WINDOW, Boundary, Closed, Opened
from speech_translator.streaming.work import (
    Action,
    Close,
    Detect,
    Foresee,
    Guess,
    Interpret,
    Jobs,
    Render,
    Retranslate,
    Speak,
)

Result = SpeechProbabilities | Interpretation | Speech

_ACK_STEP_S = 2.0


class LiveSession:
    """The state machine of one session.

    Methods return actions, to be performed in order. After ``Close`` nothing more happens.

    Args:
        config: languages, format, what is wanted.
        limits: bounds.
        clock: monotonic seconds.
    """

    def __init__(self, config: SessionConfig, limits: SessionLimits, *, clock: Clock) -> None:
        self._config = config
        self._request = config.request
        self._limits = limits
        self._clock = clock
        self._began = clock()
        playback = Playback()
        self._idle = IdleWatch(limits.idle_s, self._began, playback)
        self._held = False
        self._actions: list[Action] = []
        self._jobs = Jobs()
        state = config.state
        self._log = EventLog(state, config.last_seq or 0)
        self._hearing = Hearing(limits.endpoint, state.window)
        self._queue = UtteranceQueue(limits.utterances_at_once)
        pace = Pace(self._hearing.received_s, self._began)
        self._speech = SpeechQueue(limits.speech_backlog, playback, pace)
        last = Language(state.language) if state.language else None
        self._language = SpokenLanguage(config.request.source, last)
        self._pacer = PartialPacer()
        self._open: OpenUtterance | None = None
        self._segments, self._finals = state.segments, state.finals
        self._progress = Progress(limits.behind_s)
        self._warned_late_audio = False
        self._ending: EndReason | SpeechTranslatorError | None = None
        self._closed = False

    @property
    def request(self) -> StartRequest:
        """The session as it is wanted now."""
        return self._request

    @property
    def reading(self) -> bool:
        """Whether the session takes more audio; while False the socket must not be read."""
        return (
            self._hearing.unheard_s <= self._limits.unheard_s
            and self._queue.seconds <= self._limits.backlog_s
        )

    @property
    def hears(self) -> bool:
        """Whether audio that comes now is heard."""
        return self._ending is None and not self._closed

    @property
    def audio_s(self) -> float:
        """Audio that came, in seconds."""
        return self._hearing.received_s

    @property
    def finals(self) -> int:
        """Finals that were told."""
        return self._finals

    # Events

    def begin(self) -> list[Action]:
        """The session is accepted, or goes on: what its client has not seen is told again."""
        self._send(telling.ready(self._config))
        for event in self._config.state.unseen(self._config.last_seq or 0):
            self._send(event)
        return self._proceed()

    def receive_audio(self, samples: Samples) -> list[Action]:
        """Audio came, as 16 kHz samples; what comes after the end is not heard."""
        now = self._clock()
        self._idle.heard(now)
        if self._ending is None:
            self._hearing.append(samples, now)
            self._speech.pace.came(self._hearing.received_s, now)
            if self._hearing.received_s > self._limits.max_s:
                return self.end("session_too_long")
        elif self._ending == "end" and not self._warned_late_audio:
            self._warned_late_audio = True
            self._send(Warned(code="audio_after_end", message="Audio after the end is not heard."))
        return self._proceed()

    def keep_alive(self) -> list[Action]:
        """The client is there, though it says nothing."""
        self._idle.heard(self._clock())
        return self._proceed()

    def unshare(self) -> list[Action]:
        """Others read the session no longer."""
        if not self._closed:
            self._log.unshare()
            self._send(Unshared())
        return self._proceed()

    def update(self, request: StartRequest, message: UpdateMessage) -> list[Action]:
        """Other targets, another voice or none: for what has not ended yet.

        Args:
            request: the session as it is wanted from now on, checked.
            message: by which the client asked for it.
        """
        self._idle.heard(self._clock())
        if not self.hears:
            return self.refuse(ProtocolViolation("The session is ending: nothing changes it."))
        self._request = request
        for kind in (Render, Foresee):
            self._actions += self._jobs.cancel(kind)
        if self._open is not None:
            self._open.retarget()
        self._log.update(message)
        self._send(telling.updated(request))
        return self._proceed()

    def refuse(self, error: SpeechTranslatorError) -> list[Action]:
        """What the client asked for is not done; the session goes on as it was."""
        if not self._closed:
            self._send(telling.refused(error))
        return self._proceed()

    def hold(self, *, held: bool) -> None:
        """Whether the client has not yet taken all that it was sent: until then it is not idle."""
        self._held = held
        self._watch_idleness()

    def end(self, reason: EndReason | SpeechTranslatorError) -> list[Action]:
        """Hear no more audio; what is pending is finished, then the socket closes.

        An error as the reason is told at the end, in the place of ``done``.
        """
        if self._ending is None:
            self._ending = reason
            self._hearing.end(self._clock())
            if reason == "shutting_down":
                self._send(telling.draining())
            elif isinstance(reason, SpeechTranslatorError):
                self._send(telling.deaf(reason))
        return self._proceed()

    def complete(self, work_id: int, result: Result) -> list[Action]:
        """A piece of work is done. Where this raises, ``fault`` is to be called."""
        if isinstance(result, Interpretation) and self._jobs.translate_again(
            work_id, result, self._clock()
        ):
            return self._proceed()
        work = self._jobs.get(work_id)
        match work, result:
            case Detect(), SpeechProbabilities():
                self._bounded(self._hearing.heard(result))
            case Interpret(segment_id=segment_id) | Retranslate(
                segment_id=segment_id
            ), Interpretation():
                self._queue.settle(segment_id, result)
            case Guess(segment_id=segment_id), Interpretation():
                self._pacer.finished(self._clock())
                self._heard(segment_id, result, ended=False)
            case Foresee(segment_id=segment_id), Interpretation():
                self._heard(segment_id, result, ended=True)
            case Render(segment_id=segment_id), Interpretation():
                self._rendered(segment_id, result)
            case Speak(), Speech():
                for piece in self._speech.said(work, result, self._clock()):
                    self._send(piece)
            case None, _:  # given up before it was done
                pass
            case _:
                raise TypeError("a piece of work was answered by something else")
        self._jobs.take(work_id)
        return self._proceed()

    def fault(self, work_id: int, error: SpeechTranslatorError) -> list[Action]:
        """``complete`` or ``fail`` raised: fail that piece of work, or else end the session.

        Args:
            work_id: the piece of work.
            error: what the client is told.
        """
        if self._jobs.get(work_id) is None:  # the fault lies behind it: nobody knows how far
            return self.abort(error)
        return self.fail(work_id, error)

    def fail(self, work_id: int, error: SpeechTranslatorError) -> list[Action]:
        """A piece of work has failed; it is tried again where that may help."""
        work = self._jobs.get(work_id)
        matters = isinstance(work, Detect | Interpret | Retranslate)
        if matters and self._jobs.retry(work_id, error, self._clock()):
            return self._proceed()
        self._jobs.take(work_id)
        if isinstance(work, Detect) or (
            isinstance(work, Interpret) and isinstance(error, ShuttingDown)
        ):
            return self.abort(error)
        match work:
            case Interpret(segment_id=segment_id):
                self._queue.settle(segment_id, error)
            case Retranslate(segment_id=segment_id, said=said):
                self._queue.settle(segment_id, said)
            case Guess():
                self._pacer.dropped()
            case Speak(segment_id=segment_id):
                self._speech.failed()
                self._send(Warned(code=error.code, message=error.message, segment_id=segment_id))
        return self._proceed()

    def abort(self, error: SpeechTranslatorError) -> list[Action]:
        """End at once because of ``error``; what is pending is given up."""
        if not self._closed:
            self._send(telling.failed(error))
            self._close(error)
        return self._take()

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called, by the clock."""
        if self._closed:
            return None
        moments = [self._jobs.next_retry()]
        if not self._jobs.busy(Speak):
            moments.append(self._speech.wakes_at)
        if self._ending is None:
            moments += [self._began + self._limits.max_s, self._idle.deadline]
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_timeout(self) -> list[Action]:
        """Time has passed."""
        now = self._clock()
        if not self._closed:
            self._actions += self._jobs.due(now)
        if now >= self._began + self._limits.max_s:
            return self.end("session_too_long")
        if self._idle.deadline is not None and now >= self._idle.deadline:
            return self.end("idle_timeout")
        return self._proceed()

    # What follows from them

    def _proceed(self) -> list[Action]:
        """Do what can be done now."""
        if self._closed:
            return []
        clip = self._hearing.next_clip()
        if clip is not None:
            self._actions.append(self._jobs.start(clip))
        self._bounded(self._hearing.finish())
        for utterance in self._queue.to_start():
            work = Interpret(
                utterance.segment_id,
                utterance.samples,
                self._language.of(utterance.speech_s),
                utterance.wanted.targets,
            )
            self._actions.append(self._jobs.start(work))
        for utterance in self._queue.finished():
            self._tell(utterance)
        self._foresee()
        self._guess()
        self._speak()
        self._send(self._progress.lag(self._queue.first, self._clock()))
        self._acknowledge(_ACK_STEP_S)
        self._watch_idleness()
        if self._hearing.closed and not len(self._queue) and not self._jobs.busy(Speak):
            self._finish(self._ending or "end")
        return self._take()

    def _watch_idleness(self) -> None:
        """The next move is the client's when nothing is being done for it."""
        busy = self._held or not self.reading or len(self._jobs) or len(self._queue)
        self._idle.waits(waiting=not busy, now=self._clock())

    def _bounded(self, boundaries: list[Boundary]) -> None:
        """Utterances have begun or ended."""
        for boundary in boundaries:
            if isinstance(boundary, Opened):
                self._segments += 1
                self._open = OpenUtterance(self._segments, boundary)
                self._barge_in(boundary)
            elif self._open is not None:
                self._queue.add(self._ended(self._open, boundary))
                self._open = None
        self._hearing.forget()

    def _ended(self, running: OpenUtterance, boundary: Closed) -> Utterance:
        """The utterance that has ended, with what was decoded on the chance of it."""
        utterance = running.close(boundary, self._hearing, self._request, self._clock())
        if not utterance.started and running.foresaw(boundary):
            utterance.started = self._jobs.adopt(running.segment_id)
        for kind in (Guess, Render, Foresee):
            self._actions += self._jobs.cancel(kind)
        return utterance

    def _tell(self, utterance: Utterance) -> None:
        """An utterance is done with."""
        said = utterance.outcome
        if isinstance(said, SpeechTranslatorError):
            self._send(telling.failed(said, utterance.segment_id))
        elif said is not None and said.language is not None and said.text:
            self._finals += 1
            self._language.learn(utterance, said)
            self._send(telling.final(utterance, said, said.language, self._clock()))
            for warning in telling.failures(utterance, said):
                self._send(warning)
            self._speak_later(utterance, said)
        elif utterance.shown:
            self._send(telling.nothing(utterance))
        self._acknowledge(0.0)

    def _guess(self) -> None:
        """Decode the running utterance for a partial, when nothing that matters more waits."""
        now = self._clock()
        wanted = self._request.partials and self._open is not None and not len(self._queue)
        if not wanted or self._jobs.busy(Guess) or not self._pacer.due(now):
            return
        assert self._open is not None  # noqa: S101 - just asked
        guess = self._open.guess(self._hearing, self._language)
        if guess is not None:
            self._pacer.started(now)
            self._actions.append(self._jobs.start(guess))

    def _foresee(self) -> None:
        """Decode the running utterance on the chance that it has ended, unless others wait."""
        running = self._open
        if running is None or not self._queue.has_room or self._jobs.busy(Foresee):
            return
        foresee = running.foresee(self._hearing, self._language, self._request.targets)
        if foresee is not None:
            self._actions.append(self._jobs.start(foresee))

    def _heard(self, segment_id: int, said: Interpretation, *, ended: bool) -> None:
        """Something was recognised in the running utterance."""
        running = self._open
        if running is None or running.segment_id != segment_id:
            return
        current = running.heard(said, ended=ended, hearing=self._hearing)
        if said.text and self._request.partials:
            self._tell_partial(running)
            targets = self._request.targets
            render = None if current or not targets else running.render(targets)
            if render is not None and not self._jobs.busy(Render):
                self._actions.append(self._jobs.start(render))
        if current:
            self._bounded(self._hearing.judge(whole=is_whole(said.text, said.language)))

    def _rendered(self, segment_id: int, said: Interpretation) -> None:
        running = self._open
        if running is not None and running.segment_id == segment_id and said.translations:
            running.translations = said.translations
            self._tell_partial(running)

    def _tell_partial(self, running: OpenUtterance) -> None:
        running.shown = True
        self._send(running.partial())

    def _speak_later(self, utterance: Utterance, said: Interpretation) -> None:
        wanted = utterance.wanted
        target = wanted.targets[0] if wanted.speech else None
        text = said.translations.get(target.tag) if target else None
        if target and text:
            speak = Speak(utterance.segment_id, text, target, wanted.voice)
            self._send(self._speech.add(speak))

    def _speak(self) -> None:
        if self._jobs.busy(Speak):
            return
        speak = self._speech.next(self._clock(), last=self._ending is not None)
        if speak is not None:
            self._actions.append(self._jobs.start(speak))

    def _barge_in(self, opened: Opened) -> None:
        """The speaker talks into what is being spoken, and wants it to stop."""
        if self._request.barge_in and self._speech.interrupt(self._clock()):
            self._actions += self._jobs.cancel(Speak)
            self._send(telling.stopped(opened))

    def _acknowledge(self, step_s: float) -> None:
        """Say up to where everything is final, when that has moved by more than ``step_s``."""
        self._send(self._progress.reached(self._safe_s, step_s=step_s))

    @property
    def _safe_s(self) -> float:
        """Audio before this is final or silence, in seconds."""
        first = self._queue.first
        return self._hearing.settled_s if first is None else first.audio_start_s

    def _finish(self, reason: EndReason | SpeechTranslatorError) -> None:
        self._acknowledge(0.0)
        if isinstance(reason, SpeechTranslatorError):
            self._send(telling.failed(reason))
            self._close(reason)
            return
        self._send(
            Done(
                reason=reason,
                audio_s=round(self._hearing.received_s, 3),
                segments=self._finals,
            )
        )
        self._close(reason)

    def _close(self, why: EndReason | SpeechTranslatorError) -> None:
        self._closed = True
        self._actions.append(Close(why))

    def _send(self, event: ServerEvent | None) -> None:
        if event is not None:
            self._actions.append(self._log.add(event))

    def _take(self) -> list[Action]:
        """The actions so far; what a client may rely on is kept before it is told."""
        actions, self._actions = self._actions, []
        self._log.guard(
            actions,
            window=round(self._safe_s * SAMPLE_RATE) // WINDOW,
            segments=self._segments,
            finals=self._finals,
            language=self._language.last,
        )
        return actions
