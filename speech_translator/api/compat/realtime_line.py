"""OpenAI's realtime translation events at one end, a live session's messages at the other.

The session is the one of ``WS /translate/stream``: here its words are put into OpenAI's and back,
and nothing is decided. What OpenAI's clients put together from *deltas* can never be taken back, so
they are told what is final, a sentence at a time, and no partials. Pure but for the line.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple, Union

import msgspec

from speech_translator.api.compat import realtime_events as events
from speech_translator.api.compat.openai_errors import OpenAIError, error_type, openai_error
from speech_translator.api.compat.realtime_reading import id_in, id_of, read_event
from speech_translator.api.compat.realtime_schemas import RealtimeSession
from speech_translator.api.compat.realtime_session import (
    LANGUAGE,
    NOISE,
    WantedSession,
    wants_quiet,
)
from speech_translator.api.compat.realtime_sound import SAMPLE_RATE, Voice
from speech_translator.api.compat.realtime_text import Transcript
from speech_translator.errors import (
    InvalidField,
    ProtocolViolation,
    SpeechTranslatorError,
    UnsupportedVoice,
)
from speech_translator.languages import Language
from speech_translator.streaming import Transport, messages
from speech_translator.streaming.messages import EndReason, ServerEvent

FRAME_MS = 200
"""Steps in which ``elapsed_ms`` rises."""

_TOLD_ENDS = 64
"""Segments whose ends are remembered for their speech; more than can wait to be spoken."""

_ENDINGS: dict[EndReason, str] = {
    "idle_timeout": "Nothing came for too long; the session is closed.",
    "session_too_long": "The session has lasted as long as one may; it is closed.",
    "shutting_down": "The service is stopping; connect again in a moment.",
    "superseded": "The session goes on over another connection.",
}
_UNTOLD = frozenset({"falling_behind"})
"""Warnings that cost the client nothing but time; OpenAI has no event for them."""

_OF_LANGUAGE = frozenset({"unknown_language", "unsupported_pair", "unsupported_voice"})
"""Errors that another target would mend."""

_from_session: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(
    Union[tuple(ServerEvent.__subclasses__())]  # noqa: UP007 - all of them
)
_encode = msgspec.json.Encoder().encode


class _Update(NamedTuple):
    """An update that is not answered yet; ``quiet`` says that it asks for less noise."""

    wanted: WantedSession
    event_id: str | None = None
    quiet: bool = False


class RealtimeLine:
    """A client's socket, spoken to in OpenAI's words; a ``Transport`` for a live session.

    Args:
        socket: the client's.
        wanted: the session that it begins with.
        can_speak: whether there is a voice for a language.
        longest_s: of a session, in seconds.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        socket: Transport,
        wanted: WantedSession,
        can_speak: Callable[[Language], bool],
        *,
        longest_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._socket = socket
        self._wanted = wanted
        self._can_speak = can_speak
        self._ends_at = int(clock() + longest_s)
        self._name = ""
        self._begun = False
        self._closing = False
        self._pieces: deque[bytes] = deque()
        self._update: _Update | None = None
        self._answered = asyncio.Event()
        self._answered.set()
        self._said, self._translated = Transcript(), Transcript()
        self._ends: OrderedDict[int, int] = OrderedDict()
        self._voice = Voice()
        self._voiced: Language | None = None

    # From the client

    async def receive(self) -> str | bytes | None:
        """The next message for the session; what is no event of OpenAI's is answered here."""
        if not self._begun:
            self._begun = True
            return self._start()
        while not self._pieces:
            message = await self._socket.receive()
            if message is None:
                return None
            try:
                control = await self._understood(message)
            except SpeechTranslatorError as error:
                with suppress(ConnectionError):  # the next message tells that it is gone
                    await self._send(_error(openai_error(error), id_in(message)))
            else:
                if control is not None:
                    return control
        return self._pieces.popleft()

    async def _understood(self, message: str | bytes) -> str | None:
        """What an event asks of the session; sound is put into ``_pieces``.

        Raises:
            SpeechTranslatorError: the event is none, or cannot be obeyed. Nothing has changed.
        """
        event = read_event(message)
        if self._closing:
            raise ProtocolViolation("The session is closing: nothing more is taken.")
        if isinstance(event, events.SessionUpdate):
            await self._answered.wait()  # it changes what the one before has made
            wanted = self._wanted.updated(event.session)
            self._update = _Update(wanted, id_of(event), wants_quiet(event.session))
            self._answered.clear()
            return self._message("update", wanted)
        if isinstance(event, events.SessionClose):
            self._closing = True
            return '{"type":"end"}'
        step = messages.MAX_FRAME_BYTES
        for start in range(0, len(event.audio), step):
            self._pieces.append(event.audio[start : start + step])
        return None

    def _start(self) -> str:
        sound = {"encoding": "pcm_s16le", "sample_rate": SAMPLE_RATE}
        return self._message("start", self._wanted, source_language="auto", audio=sound)

    def _message(self, kind: str, wanted: WantedSession, **more: object) -> str:
        speech = self._can_speak(wanted.target)
        targets = [wanted.target.tag]
        body = {"type": kind, "target_languages": targets, "speech": speech, **more}
        return _encode(body).decode()

    # From the session

    async def send(self, text: str) -> None:
        """Tell the client what the session says."""
        for event in self._told(_from_session.decode(text)):
            await self._send(event)

    async def close(self, why: EndReason | SpeechTranslatorError) -> None:
        """Close the socket as any live session's."""
        await self._socket.close(why)

    def _told(self, event: ServerEvent) -> Iterator[events.RealtimeEvent]:
        """An event of the session in OpenAI's words; nothing where they have none."""
        match event:
            case messages.Ready():
                self._name = event.session_id
                yield events.SessionCreated(event_id=_new_id(), session=self._session)
            case messages.Updated():
                yield from self._updated()
            case messages.Final():
                yield from self._final(event)
            case messages.SpokenAudio():
                yield from self._spoken(event)
            case messages.Warned() if event.code not in _UNTOLD:
                yield _failure(event.code, event.message)
            case messages.Failed():
                yield self._failed(event)
            case messages.Done():
                if event.reason != "end":
                    yield _failure(event.reason, _ENDINGS[event.reason])
                yield events.SessionClosed(event_id=_new_id())

    @property
    def _session(self) -> RealtimeSession:
        return self._wanted.shown(self._name, self._ends_at)

    def _updated(self) -> Iterator[events.RealtimeEvent]:
        update = self._answer() or _Update(self._wanted)
        self._wanted = update.wanted
        yield events.SessionUpdated(event_id=_new_id(), session=self._session)
        yield from self._voiceless(update.event_id)
        if update.quiet:
            error = InvalidField("Noise is not reduced here; all else is updated.", field=NOISE)
            yield _error(openai_error(error), update.event_id)

    def _answer(self) -> _Update | None:
        """The update that is answered now."""
        update, self._update = self._update, None
        self._answered.set()
        return update

    def _voiceless(self, event_id: str | None = None) -> Iterator[events.RealtimeEvent]:
        """What a client is told that will hear nothing: once, when it chose that or has spoken."""
        if self._wanted.target != self._voiced and not self._can_speak(self._wanted.target):
            error = UnsupportedVoice(
                "Nothing here speaks this language: its translation comes as text alone.",
                field=LANGUAGE,
            )
            yield _error(openai_error(error), event_id)
        self._voiced = self._wanted.target

    def _final(self, event: messages.Final) -> Iterator[events.RealtimeEvent]:
        elapsed = self._ends[event.segment_id] = int(event.end * 1000) // FRAME_MS * FRAME_MS
        if len(self._ends) > _TOLD_ENDS:
            self._ends.popitem(last=False)
        if self._wanted.transcription is not None:
            delta = self._said.added(event.text)
            yield events.InputTranscriptDelta(event_id=_new_id(), delta=delta, elapsed_ms=elapsed)
        yield from self._voiceless()
        for text in filter(None, event.translations.values()):
            delta = self._translated.added(text)
            yield events.OutputTranscriptDelta(event_id=_new_id(), delta=delta, elapsed_ms=elapsed)

    def _spoken(self, event: messages.SpokenAudio) -> Iterator[events.RealtimeEvent]:
        delta = self._voice.resampled(event)
        if delta:
            yield events.OutputAudioDelta(
                event_id=_new_id(),
                delta=delta,
                elapsed_ms=self._ends.get(event.segment_id, 0),
                sample_rate=SAMPLE_RATE,
            )

    def _failed(self, event: messages.Failed) -> events.ErrorEvent:
        """An error: of a segment, of an update that was not made, or the one that ends it all."""
        of_update = event.segment_id is None and not event.fatal
        update = self._answer() if of_update else None
        return _failure(event.code, event.message, update.event_id if update else None)

    async def _send(self, event: events.RealtimeEvent) -> None:
        await self._socket.send(_encode(event).decode())


def _error(told: OpenAIError, event_id: str | None = None) -> events.ErrorEvent:
    about = events.RealtimeError(
        message=told.message, type=told.type, code=told.code, param=told.param, event_id=event_id
    )
    return events.ErrorEvent(event_id=_new_id(), error=about)


def _failure(code: str, message: str, event_id: str | None = None) -> events.ErrorEvent:
    """An error that the session tells by its code."""
    param = LANGUAGE if code in _OF_LANGUAGE else None
    told = OpenAIError(message=message, type=error_type(code), code=code, param=param)
    return _error(told, event_id)


def _new_id() -> str:
    return f"event_{secrets.token_hex(12)}"
