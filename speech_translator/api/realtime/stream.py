"""``WS /translate/stream``: live translation. The protocol is in ``docs/LIVE.md``.

A session that cannot be had is refused before the socket opens, with the status and the problem
document that any other route would answer. Others' protocols are dialects of this one: the same
door, limits, session and end, told in other words (``live``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass

from fastapi import APIRouter
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from speech_translator.api.dependencies import accounts_of, admitted, services_of, state_of
from speech_translator.api.metering import live_audio
from speech_translator.errors import (
    ConfigurationError,
    Draining,
    LimitExceeded,
    SpeechTranslatorError,
    StoreUnavailable,
    Unauthenticated,
)
from speech_translator.observability import logger
from speech_translator.problems import close_code_of, problem_response, request_id_of
from speech_translator.security.background import report
from speech_translator.security.guard import Caller
from speech_translator.security.scopes import Scope
from speech_translator.streaming import AudioMeter, LiveDriver, LiveHub, SessionLimits, Transport
from speech_translator.streaming.messages import EndReason
from speech_translator.streaming.resuming import SessionStore
from speech_translator.streaming.sharing import CaptionHub, ReaderLimits

router = APIRouter()

PROTOCOL = "speech-translator"
"""Subprotocol that is agreed to. A browser that offers its token as one needs another to be."""

CHECK_S = 1.0
"""Seconds between two looks whether the key of a running session still opens it."""

CLOSE_CODES: dict[EndReason, int] = {
    "end": 1000,
    "idle_timeout": 1008,
    "session_too_long": 1008,
    "shutting_down": 1012,
    "superseded": 4001,
}
"""Of sessions that were not broken off; errors have theirs in ``problems``."""


Words = Callable[[Transport], Transport]
"""What stands between a socket and its session, and puts the one's words into the other's."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How live sessions are spoken of on the wire.

    Args:
        subprotocol: agreed to where it is offered.
        denial: the answer to who is not let in, from the error and the request's id.
        words: from a handshake that is let in to what translates; raises what refuses it.
        resumable: whether a session can go on over another connection.
    """

    subprotocol: str
    denial: Callable[[SpeechTranslatorError, str], Response]
    words: Callable[[WebSocket], Awaitable[Words]]
    resumable: bool


async def _plainly(_socket: WebSocket) -> Words:
    return lambda transport: transport


OURS = Dialect(PROTOCOL, problem_response, _plainly, resumable=True)


@router.websocket("/translate/stream")
async def translate_stream(socket: WebSocket) -> None:
    """One live session."""
    await live(socket, OURS)


async def live(socket: WebSocket, dialect: Dialect) -> None:
    """One live session, from its handshake to its end."""
    state = state_of(socket)
    hub = hub_of(socket.app)
    try:
        if state.draining:
            raise Draining("The service is stopping; connect again in a moment.")
        caller = await admitted(socket, Scope.STREAM)
        words = await dialect.words(socket)
        with hub.place():
            async with _lease(socket, caller), live_audio(socket, state.metering, caller) as audio:
                offered = dialect.subprotocol in socket.scope["subprotocols"]
                await socket.accept(dialect.subprotocol if offered else None)
                store = await _store(socket) if dialect.resumable else None
                await _serve(socket, hub, caller, audio, words(_SocketTransport(socket)), store)
    except SpeechTranslatorError as error:
        if socket.client_state is not WebSocketState.CONNECTING:
            raise
        await socket.send_denial_response(dialect.denial(error, request_id_of(socket)))


@asynccontextmanager
async def _lease(socket: WebSocket, caller: Caller) -> AsyncIterator[None]:
    """One of the sessions that the caller may have at the same time; see ``ConcurrencyLimiter``.

    Raises:
        LimitExceeded: all of them run. The request is given back: what is refused costs nothing.
    """
    state = state_of(socket)
    async with AsyncExitStack() as stack:
        try:
            holding = state.live_sessions.hold(caller.subject, caller.tier.live_sessions)
            await stack.enter_async_context(holding)
        except LimitExceeded:
            await state.guard.give_back(socket, caller)
            raise
        yield


async def _serve(
    socket: WebSocket,
    hub: LiveHub,
    caller: Caller,
    meter: AudioMeter,
    transport: Transport,
    store: SessionStore | None,
) -> None:
    """Run the session to its end, over a socket that is open."""
    state, services = state_of(socket), services_of(socket)
    driver = LiveDriver(
        transport,
        services.translator,
        SessionLimits.from_settings(
            state.settings, weight=caller.tier.weight, subject=caller.subject
        ),
        decoders=services.decoders,
        store=store,
        owner=caller.owner,
        meter=meter,
    )
    watching = asyncio.create_task(_end_when_revoked(socket, transport, driver, caller))
    try:
        with hub.running(driver):
            summary = await driver.run(hub.captions)
    finally:
        watching.cancel()
    state.metrics.audio("received", summary.audio_s)
    logger("speech_translator.live").info(
        "live_session", request_id=request_id_of(socket), **asdict(summary)
    )


async def _store(socket: WebSocket) -> SessionStore | None:
    """Where sessions are kept between their connections; None while it cannot be reached."""
    try:
        return (await accounts_of(socket)).live
    except (StoreUnavailable, ConfigurationError):
        return None


async def _end_when_revoked(
    socket: WebSocket, transport: Transport, driver: LiveDriver, caller: Caller
) -> None:
    """Close the socket once its key is revoked or has ended, or its token was closed.

    Fails open: where that cannot be looked up, a session that was let in goes on.
    """
    if not caller.principal.key_id:
        return
    accounts = await accounts_of(socket)
    while True:
        await asyncio.sleep(CHECK_S)
        try:
            await accounts.check(caller.principal)
        except Unauthenticated as error:
            driver.revoke()
            with suppress(ConnectionError):
                await transport.close(error)
            return
        except StoreUnavailable:
            continue
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the watch
            report("looking whether a live session may go on failed", error)


def hub_of(app: Starlette) -> LiveHub:
    """The live sessions of an application; made at the first use."""
    hub: LiveHub | None = getattr(app.state, "live", None)
    if hub is None:
        settings = app.state.api.settings
        # Readers hold requests for hours: half of them are left for the rest.
        limits = ReaderLimits(settings.live_max_readers, settings.max_concurrent_requests // 2)
        hub = app.state.live = LiveHub(settings.live_max_sessions, CaptionHub(limits))
    return hub


class _SocketTransport:
    """A Starlette socket as the driver wants it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes | None:
        """The next message; None when the client is gone."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        data: bytes | None = message.get("bytes")
        if data is not None:
            return data
        text: str = message["text"]
        return text

    async def send(self, text: str) -> None:
        """Send a text message."""
        try:
            await self._socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError from error

    async def close(self, why: EndReason | SpeechTranslatorError) -> None:
        """Close with the code of ``why``."""
        if isinstance(why, SpeechTranslatorError):
            code, reason = close_code_of(why), why.code
        else:
            code, reason = CLOSE_CODES[why], str(why)
        try:
            await self._socket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError from error
