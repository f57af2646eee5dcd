"""One live session over one socket: what is asked for is checked, then the session is run."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

from speech_translator.errors import (
    Draining,
    ProtocolViolation,
    SpeechTranslatorError,
    StoreUnavailable,
)
from speech_translator.reliability.deadlines import Clock
from speech_translator.streaming import messages, telling
from speech_translator.streaming.audio_input import AudioInput, OpensStreams, open_input
from speech_translator.streaming.config import AudioMeter, SessionConfig, SessionLimits, Unmetered
from speech_translator.streaming.interpreting import Interpreter, Translating
from speech_translator.streaming.messages import ResumeRequest
from speech_translator.streaming.resuming import Keeper, SessionState, SessionStore, begin, resume
from speech_translator.streaming.running import CLIENT_GONE, SessionRun, Transport
from speech_translator.streaming.session import LiveSession
from speech_translator.streaming.sharing import CaptionHub, Speaker, digest, new_secret
from speech_translator.streaming.work_runner import WorkRunner
from speech_translator.text import validate_glossary

FIRST_MESSAGE_S = 10.0
"""Seconds a client has to say what it wants."""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """What a session came to. ``outcome`` is an ``EndReason``, an error's code or client_gone."""

    outcome: str
    session_id: str = ""
    audio_s: float = 0.0
    finals: int = 0


class LiveDriver:
    """One live session, from its first message to its end.

    Args:
        transport: the client's socket.
        translator: the async door.
        limits: bounds of the session.
        decoders: for audio in containers.
        store: keeps sessions, so that they can be resumed; None where they cannot.
        owner: whom the session belongs to: nobody else resumes it.
        meter: asked before sound is heard.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        transport: Transport,
        translator: Translating,
        limits: SessionLimits,
        *,
        decoders: OpensStreams,
        store: SessionStore | None = None,
        owner: str = "anonymous",
        meter: AudioMeter | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._transport = transport
        self._translator = translator
        self._limits = limits
        self._decoders = decoders
        self._store = store
        self._owner = owner
        self._meter = meter or Unmetered()
        self._captions: CaptionHub | None = None
        self._speaker: Speaker | None = None
        self._clock = clock
        self._stopping = asyncio.Event()

    def shut_down(self) -> None:
        """The process stops: finish what is pending, tell the client, close."""
        self._stopping.set()

    def revoke(self) -> None:
        """What opened the session is not valid any more: nobody reads it any longer."""
        if self._speaker is not None:
            self._speaker.revoke()

    async def run(self, captions: CaptionHub | None = None) -> SessionSummary:
        """Serve the session; returns when its socket is closed or its client gone.

        Args:
            captions: where shared sessions are read; None where they cannot be shared.
        """
        self._captions = captions
        try:
            message = await self._first_message()
            if message is None:
                return SessionSummary(CLIENT_GONE)
            config, keeper = await self._accept(message)
            audio = await open_input(config.request.audio, self._decoders, self._limits.max_s)
        except SpeechTranslatorError as error:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(self._limits.send_s):
                    await self._transport.send(messages.encode(telling.failed(error), 1))
                    await self._transport.close(error)
            return SessionSummary(error.code)
        try:
            return await self._serve(config, keeper, audio)
        finally:
            await audio.close()

    async def _first_message(self) -> str | bytes | None:
        """What the client says first; None when it left before."""
        reading = asyncio.ensure_future(self._transport.receive())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                {reading, stopping}, timeout=FIRST_MESSAGE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not reading.done():
                if stopping.done():
                    raise Draining("The service is stopping; connect again in a moment.")
                raise ProtocolViolation("No first message came.", expected="start")
            return reading.result()
        finally:
            reading.cancel()
            stopping.cancel()

    async def _accept(self, message: str | bytes) -> tuple[SessionConfig, Keeper]:
        """The session that a client asks for, checked and kept: a new one, or one that goes on."""
        asked = messages.parse_first(message)
        last_seq = secret = None
        if isinstance(asked, ResumeRequest):
            keeper, state = await resume(self._store, self._owner, asked.token)
            request, last_seq = messages.parse_start(state.start), asked.last_seq
        else:
            request = asked
            validate_glossary(request.glossary, max_terms=self._limits.max_glossary_terms)
            Interpreter(self._translator).check(
                request.source, request.targets, speech=request.speech, voice=request.voice
            )
            text = message if isinstance(message, str) else message.decode()
            secret = new_secret() if request.share and self._captions is not None else None
            keeper, state = await self._begin(text, digest(secret) if secret else None)
        return SessionConfig(state, request, keeper.token, last_seq, secret), keeper

    async def _begin(self, text: str, share: str | None) -> tuple[Keeper, SessionState]:
        """A new session; one that cannot be kept cannot be resumed, and goes on all the same."""
        try:
            return await begin(self._store, self._owner, text, share)
        except StoreUnavailable:
            return await begin(None, self._owner, text, share)

    async def _serve(
        self, config: SessionConfig, keeper: Keeper, audio: AudioInput
    ) -> SessionSummary:
        request = config.request
        work = WorkRunner(
            self._translator,
            glossary=request.glossary,
            owner=self._limits.subject or self._owner,
            weight=self._limits.weight,
            clock=self._clock,
        )
        session = LiveSession(config, self._limits, clock=self._clock)
        if self._captions is not None:
            self._speaker = self._captions.speak(config.state, request)
        run = SessionRun(
            self._transport,
            session,
            audio,
            work,
            keeper,
            send_s=self._limits.send_s,
            meter=self._meter,
            clock=self._clock,
        )
        outcome = CLIENT_GONE
        try:
            outcome = await run.until_closed(self._stopping, self._speaker)
        finally:
            if self._speaker is not None:
                self._speaker.leave(outcome)
        return SessionSummary(outcome, config.state.session_id, session.audio_s, session.finals)
