"""The tasks of one live session: its reader, its writer, its clock and its work.

All decisions are the state machine's; here is only what waits. Every task ends with
``SessionRun.until_closed``, whichever way that ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

import numpy as np

from speech_translator.engines.values import SAMPLE_RATE, Samples
from speech_translator.errors import (
    InvalidField,
    LimitExceeded,
    PayloadTooLarge,
    SlowConsumer,
    SpeechTranslatorError,
    StoreUnavailable,
)
from speech_translator.observability import logger
from speech_translator.reliability.deadlines import Clock
from speech_translator.streaming import messages
from speech_translator.streaming.audio_input import AudioInput
from speech_translator.streaming.config import AudioMeter
from speech_translator.streaming.messages import EndReason, Partial, UpdateMessage
from speech_translator.streaming.resuming import Keeper, Superseded
from speech_translator.streaming.session import LiveSession, Result
from speech_translator.streaming.sharing import Speaker
from speech_translator.streaming.work import Action, Cancel, Close, Save, Send, Start, Work
from speech_translator.streaming.work_runner import WorkRunner

OUTBOX_LIMIT = 64
"""Events that may wait for the client; then its audio is not read."""

CLIENT_GONE = "client_gone"
SUPERSEDED: EndReason = "superseded"
_CLOSE_S = 2.0
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


class SessionRun:
    """A session that was accepted.

    Args:
        transport: the client's socket.
        session: the state machine.
        audio: what reads its binary messages.
        runner: does its work.
        keeper: keeps it, so that its client can come back.
        send_s: seconds in which the client must take a message.
        meter: asked before sound is heard.
        clock: monotonic seconds, the session's own.
    """

    def __init__(
        self,
        transport: Transport,
        session: LiveSession,
        audio: AudioInput,
        runner: WorkRunner,
        keeper: Keeper,
        *,
        send_s: float,
        meter: AudioMeter,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._session = session
        self._audio = audio
        self._runner = runner
        self._keeper = keeper
        self._send_s = send_s
        self._meter = meter
        self._clock = clock
        self._speaker: Speaker | None = None
        self._works: dict[int, asyncio.Task[None]] = {}
        self._outbox: deque[Send | Save | Close] = deque()
        self._may_read = asyncio.Event()
        self._to_send = asyncio.Event()
        self._changed = asyncio.Event()
        self._heard_end = False
        self._outcome = CLIENT_GONE
        self._log = logger("speech_translator.live")

    async def until_closed(self, stopping: asyncio.Event, speaker: Speaker | None = None) -> str:
        """Run until the socket is closed or the client gone; leaves no task behind.

        Args:
            stopping: the process stops.
            speaker: tells those who read the session; None where nobody does.
        """
        self._speaker = speaker
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
                if isinstance(message, bytes):
                    await self._hear(message)
                else:
                    await self._obey(message)
            except SpeechTranslatorError as error:
                self._perform(self._session.abort(error))
            except Exception as error:  # noqa: BLE001 - a fault of ours ends its session only
                self._log.error("live_session_failed", exc_info=error)
                self._perform(self._session.abort(_our_fault()))

    async def _hear(self, message: bytes) -> None:
        """Audio; a message that holds much of it is heard at the pace of the session."""
        if len(message) > messages.MAX_FRAME_BYTES:
            raise PayloadTooLarge(
                "The audio message is too large.", max_bytes=messages.MAX_FRAME_BYTES
            )
        if self._heard_end:
            self._perform(self._session.receive_audio(_NOTHING))
            return
        async for samples in self._audio.samples(message):
            await self._take(samples)
            await self._may_read.wait()

    async def _take(self, samples: Samples) -> None:
        """Have samples heard, if the client's limit of sound allows it."""
        if self._heard_end:
            return
        try:
            if self._session.hears:
                await self._meter.take(len(samples) / SAMPLE_RATE)
        except LimitExceeded as error:
            self._heard_end = True
            self._perform(self._session.end(error))
        else:
            self._perform(self._session.receive_audio(samples))

    async def _obey(self, message: str) -> None:
        try:
            control = messages.parse_control(message)
        except InvalidField as error:  # of an update
            self._perform(self._session.refuse(error))
            return
        if isinstance(control, UpdateMessage):
            self._perform(self._update(control))
        elif control == "keep_alive":
            self._perform(self._session.keep_alive())
        elif control == "unshare":
            self._perform(self._session.unshare())
        elif not self._heard_end:
            await self._take(await self._audio.finish())
            self._heard_end = True
            self._perform(self._session.end("end"))

    def _update(self, message: UpdateMessage) -> list[Action]:
        """What cannot be had is refused, and the session goes on as it was."""
        try:
            request = messages.updated(self._session.request, message)
            self._runner.check(request)
        except SpeechTranslatorError as error:
            return self._session.refuse(error)
        return self._session.update(request, message)

    async def _write(self) -> None:
        """Send events; returns once the socket is closed, or the client does not take them."""
        while True:
            await self._something_to_send()
            action = self._outbox.popleft()
            self._regulate()
            if isinstance(action, Save):
                if not await self._save(action):
                    return
                continue
            if isinstance(action, Send) and self._speaker is not None:
                self._speaker.publish(action.event)
            try:
                async with asyncio.timeout(self._send_s):
                    if isinstance(action, Close):
                        await self._end(action)
                        return
                    await self._transport.send(messages.encode(action.event, action.seq))
            except ConnectionError:
                return
            except TimeoutError:
                await self._drop()
                return

    async def _save(self, action: Save) -> bool:
        """Keep the session before what follows is sent; False when another connection has it.

        Fails open: captions go on where the session cannot be kept, and a client that comes back
        later may be told the last of them again.
        """
        later = [waiting for waiting in self._outbox if isinstance(waiting, Save)]
        for waiting in later:
            self._outbox.remove(waiting)
        state = (later or [action])[-1].state  # it holds all that the others do
        try:
            await self._keeper.save(state)
        except StoreUnavailable:
            self._log.warning("live_session_not_kept", session_id=state.session_id)
        except Superseded:
            self._outcome = SUPERSEDED
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._transport.close(SUPERSEDED)
            return False
        return True

    async def _end(self, action: Close) -> None:
        """Close the socket; a session that came to its own end is not kept any longer."""
        if action.why == "end":
            with suppress(StoreUnavailable):
                await self._keeper.end()
        await self._transport.close(action.why)
        self._outcome = _name_of(action.why)

    async def _something_to_send(self) -> None:
        while not self._outbox:
            self._hold(held=False)
            self._to_send.clear()
            await self._to_send.wait()
        self._hold(held=True)

    def _hold(self, *, held: bool) -> None:
        self._session.hold(held=held)
        self._changed.set()

    async def _drop(self) -> None:
        """Close on a client that does not read; the close waits behind what it has not read."""
        self._outcome = SlowConsumer.code
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._transport.close(
                    SlowConsumer(f"The events were not read for {self._send_s:g} seconds.")
                )

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
                case Send():
                    self._put(action)
                case Save() | Close():
                    self._outbox.append(action)
        if self._outbox:
            self._to_send.set()
        self._changed.set()
        self._regulate()

    def _put(self, action: Send) -> None:
        """Queue an event; a partial that was not sent yet gives way to the next one."""
        if isinstance(action.event, Partial):
            for waiting in self._outbox:
                if _partial_of(waiting) == action.event.segment_id:
                    self._outbox.remove(waiting)
                    break
        self._outbox.append(action)

    def _regulate(self) -> None:
        """Read the socket only while the session and the client keep up."""
        if self._session.reading and len(self._outbox) < OUTBOX_LIMIT:
            self._may_read.set()
        else:
            self._may_read.clear()


def _partial_of(action: Send | Save | Close) -> int | None:
    """The segment that a waiting partial is about; None for all else."""
    event = action.event if isinstance(action, Send) else None
    return event.segment_id if isinstance(event, Partial) else None


def _our_fault() -> SpeechTranslatorError:
    return SpeechTranslatorError("Something went wrong on our side.")


def _name_of(why: EndReason | SpeechTranslatorError) -> str:
    return why.code if isinstance(why, SpeechTranslatorError) else why
