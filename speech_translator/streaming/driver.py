"""Runs one live session: reads its socket, has its work done, writes its events.

All decisions are the state machine's; here is only what waits. Every task of a session ends with
``LiveDriver.run``, whichever way that ends.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from speech_translator.engines.values import Priority
from speech_translator.errors import (
    PayloadTooLarge,
    ProtocolViolation,
    ShuttingDown,
    SpeechTranslatorError,
)
from speech_translator.media.pcm import PcmDecoder
from speech_translator.observability import logger
from speech_translator.reliability.deadlines import Clock, Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.streaming import messages, telling
from speech_translator.streaming.config import SessionConfig, SessionLimits
from speech_translator.streaming.interpreting import Interpreter, Translating
from speech_translator.streaming.messages import EndReason, Partial, ServerEvent, StartRequest
from speech_translator.streaming.session import LiveSession, Result
from speech_translator.streaming.work import Action, Cancel, Close, Send, Start, Work
from speech_translator.streaming.work_runner import WorkRunner

FIRST_MESSAGE_S = 10.0
"""Seconds a client has to say what it wants."""

SEND_TIMEOUT_S = 20.0
"""Seconds in which a client must take a message; one that does not is dropped."""

OUTBOX_LIMIT = 64
"""Events that may wait for the client; then its audio is not read."""


CLIENT_GONE = "client_gone"
_NOTHING = np.zeros(0, np.float32)


class Transport(Protocol):
    """The socket of one client, accepted."""

    async def receive(self) -> str | bytes | None:
        """The next message; None when the client is gone."""
        ...

    async def send(self, text: str) -> None:
        """Send a text message.

        Raises:
            ConnectionError: the client is gone.
        """
        ...

    async def close(self, why: EndReason | SpeechTranslatorError) -> None:
        """Close the socket with the code that belongs to ``why``."""
        ...


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
        owner: whom the work belongs to.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        transport: Transport,
        translator: Translating,
        limits: SessionLimits,
        *,
        owner: str = "anonymous",
        clock: Clock = time.monotonic,
    ) -> None:
        self._transport = transport
        self._translator = translator
        self._limits = limits
        self._owner = owner
        self._clock = clock
        self._stopping = asyncio.Event()

    def shut_down(self) -> None:
        """The process stops: finish what is pending, tell the client, close."""
        self._stopping.set()

    async def run(self) -> SessionSummary:
        """Serve the session; returns when its socket is closed or its client gone."""
        try:
            request = await self._first_message()
        except SpeechTranslatorError as error:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._transport.send(messages.encode(telling.failed(error), 1))
                    await self._transport.close(error)
            return SessionSummary(error.code)
        return SessionSummary(CLIENT_GONE) if request is None else await self._serve(request)

    async def _first_message(self) -> StartRequest | None:
        """What the client wants, checked; None when it left before it said so."""
        reading = asyncio.ensure_future(self._transport.receive())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                {reading, stopping}, timeout=FIRST_MESSAGE_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not reading.done():
                if stopping.done():
                    raise ShuttingDown("The service is stopping; connect again in a moment.")
                raise ProtocolViolation("No first message came.", expected="start")
            message = reading.result()
        finally:
            reading.cancel()
            stopping.cancel()
        if message is None:
            return None
        request = messages.parse_start(message)
        context = RequestContext(
            Deadline.after(FIRST_MESSAGE_S, clock=self._clock),
            owner=self._owner,
            priority=Priority.LIVE,
        )
        await Interpreter(self._translator).check(
            request.source, request.targets, speech=request.speech, context=context
        )
        return request

    async def _serve(self, request: StartRequest) -> SessionSummary:
        config = SessionConfig(secrets.token_hex(8), request)
        work = WorkRunner(self._translator, request.targets, owner=self._owner, clock=self._clock)
        session = LiveSession(config, self._limits, clock=self._clock)
        run = _Run(
            self._transport,
            session,
            PcmDecoder(request.audio.encoding, request.audio.sample_rate),
            work,
            self._clock,
        )
        outcome = await run.until_closed(self._stopping)
        return SessionSummary(outcome, config.session_id, session.audio_s, session.finals)


class _Run:
    """The tasks of one session that was accepted."""

    def __init__(
        self,
        transport: Transport,
        session: LiveSession,
        decoder: PcmDecoder,
        runner: WorkRunner,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._session = session
        self._decoder = decoder
        self._runner = runner
        self._clock = clock
        self._works: dict[int, asyncio.Task[None]] = {}
        self._outbox: deque[ServerEvent | Close] = deque()
        self._may_read = asyncio.Event()
        self._to_send = asyncio.Event()
        self._changed = asyncio.Event()
        self._heard_end = False
        self._outcome = CLIENT_GONE
        self._log = logger("speech_translator.live")

    async def until_closed(self, stopping: asyncio.Event) -> str:
        """Run until the socket is closed or the client gone; leaves no task behind."""
        self._perform(self._session.begin())
        tasks = [
            asyncio.create_task(self._write()),
            asyncio.create_task(self._read()),
            asyncio.create_task(self._keep_time()),
            asyncio.create_task(self._watch(stopping)),
        ]
        writer, reader, timer, _ = tasks
        try:
            # The writer ends at Close, the reader with the client; the timer only by a fault.
            await asyncio.wait({writer, reader, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks += self._works.values()
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return self._outcome

    async def _read(self) -> None:
        """Feed the session; returns when the client is gone."""
        while True:
            await self._may_read.wait()
            message = await self._transport.receive()
            if message is None:
                return
            try:
                self._perform(self._received(message))
            except SpeechTranslatorError as error:
                self._perform(self._session.abort(error))

    def _received(self, message: str | bytes) -> list[Action]:
        if isinstance(message, bytes):
            if len(message) > messages.MAX_FRAME_BYTES:
                raise PayloadTooLarge(
                    "The audio message is too large.", max_bytes=messages.MAX_FRAME_BYTES
                )
            if self._heard_end:
                return self._session.receive_audio(_NOTHING)
            return self._session.receive_audio(self._decoder.feed(message))
        messages.parse_control(message)
        if self._heard_end:
            return []
        self._heard_end = True
        actions = self._session.receive_audio(self._decoder.finish())
        return actions + self._session.end("end")

    async def _write(self) -> None:
        """Send events; returns once the socket is closed, or the client does not take them."""
        for seq in itertools.count(1):
            while not self._outbox:
                self._to_send.clear()
                await self._to_send.wait()
            event = self._outbox.popleft()
            self._regulate()
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    if isinstance(event, Close):
                        await self._transport.close(event.why)
                        self._outcome = _name_of(event.why)
                        return
                    await self._transport.send(messages.encode(event, seq))
            except (ConnectionError, TimeoutError):
                return

    async def _keep_time(self) -> None:
        """Wake the session when it asked for it."""
        while True:
            self._changed.clear()
            at = self._session.next_timeout()
            try:
                async with asyncio.timeout(None if at is None else max(0.0, at - self._clock())):
                    await self._changed.wait()
            except TimeoutError:
                self._perform(self._session.handle_timeout())

    async def _watch(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._perform(self._session.end("shutting_down"))

    async def _work(self, work_id: int, work: Work) -> None:
        outcome: Result | SpeechTranslatorError
        try:
            outcome = await self._runner.run(work)
        except SpeechTranslatorError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001 - a fault of ours ends its work, not the server
            self._log.error("live_work_failed", work=type(work).__name__, exc_info=error)
            outcome = _our_fault()
        finally:
            self._works.pop(work_id, None)
        self._perform(self._report(work_id, outcome))

    def _report(self, work_id: int, outcome: Result | SpeechTranslatorError) -> list[Action]:
        """Tell the session how a piece of work ended; no fault of ours strands an utterance."""
        try:
            if isinstance(outcome, SpeechTranslatorError):
                return self._session.fail(work_id, outcome)
            return self._session.complete(work_id, outcome)
        except Exception as error:  # noqa: BLE001 - as above
            self._log.error("live_session_failed", exc_info=error)
        try:
            return self._session.fault(work_id, _our_fault())
        except Exception as error:  # noqa: BLE001 - twice: nothing in it can be relied upon
            self._log.error("live_session_failed", exc_info=error)
            return self._session.abort(_our_fault())

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(work_id=work_id, work=work):
                    self._works[work_id] = asyncio.create_task(self._work(work_id, work))
                case Cancel(work_id=work_id):
                    task = self._works.pop(work_id, None)
                    if task is not None:
                        task.cancel()
                case Send(event=event):
                    self._put(event)
                case Close():
                    self._outbox.append(action)
        if self._outbox:
            self._to_send.set()
        self._changed.set()
        self._regulate()

    def _put(self, event: ServerEvent) -> None:
        """Queue an event; a partial that was not sent yet gives way to the next one."""
        if isinstance(event, Partial):
            for index, waiting in enumerate(self._outbox):
                if isinstance(waiting, Partial) and waiting.segment_id == event.segment_id:
                    self._outbox[index] = event
                    return
        self._outbox.append(event)

    def _regulate(self) -> None:
        """Read the socket only while the session and the client keep up."""
        if self._session.reading and len(self._outbox) < OUTBOX_LIMIT:
            self._may_read.set()
        else:
            self._may_read.clear()


def _our_fault() -> SpeechTranslatorError:
    return SpeechTranslatorError("Something went wrong on our side.")


def _name_of(why: EndReason | SpeechTranslatorError) -> str:
    return why.code if isinstance(why, SpeechTranslatorError) else why
