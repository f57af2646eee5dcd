"""Connections of a live client: over a WebSocket to a service, or to engines in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from speech_translator import __version__
from speech_translator.cli.live_client import Line, LineLost, OpenLine, error_of
from speech_translator.errors import SpeechTranslatorError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.http11 import Response

    from speech_translator.services import Services
    from speech_translator.settings import Settings
    from speech_translator.streaming.messages import EndReason

PATH = "/translate/stream"
_OPEN_S = 10.0
_WAITING = 16
_PASSING = frozenset({429, 500, 502, 503, 504})
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def service_line(url: str, key: str | None) -> OpenLine:
    """Connections to a running service.

    Args:
        url: its address, as ``https://host`` with a path before ours if it is mounted below one.
        key: sent as ``X-API-Key``.

    Raises:
        typer.BadParameter: that is no address of a service.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.username or parts.query:
        raise typer.BadParameter("--url takes the address of a service: https://host:port")
    address = f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}{PATH}"

    @asynccontextmanager
    async def open_line() -> AsyncIterator[Line]:
        from websockets.asyncio.client import connect  # noqa: PLC0415  start quickly
        from websockets.exceptions import InvalidHandshake, InvalidStatus  # noqa: PLC0415

        try:
            socket = await connect(
                address,
                additional_headers={"X-API-Key": key} if key else None,
                user_agent_header=f"speech-translator/{__version__}",
                open_timeout=_OPEN_S,
                ping_timeout=None,  # pongs wait behind sound that is not read yet
                max_size=None,
            )
        except InvalidStatus as refusal:
            raise _refusal(refusal.response) from None
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise LineLost(f"{url}: {error or 'no answer'}.") from None
        async with socket:
            yield _SocketLine(socket)

    return open_line


def _refusal(response: Response) -> Exception:
    """What a handshake was refused with: a problem document, unless a proxy answered."""
    try:
        problem = json.loads(response.body or b"")
        code, message = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, message = "", f"The service refused with status {response.status_code}."
    if response.status_code in _PASSING:
        return LineLost(message)
    return error_of(code, message)


class _SocketLine:
    """A WebSocket as the client wants it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """See ``Line``."""
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise self._lost() from error

    async def receive(self) -> str | bytes:
        """See ``Line``."""
        from websockets.exceptions import ConnectionClosed  # noqa: PLC0415

        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise self._lost() from error

    def _lost(self) -> LineLost:
        return LineLost(self._socket.close_reason or "", self._socket.close_code or 1006)


def engine_line(services: Services, settings: Settings) -> OpenLine:
    """Sessions over engines of this process: each connection is a new one."""

    @asynccontextmanager
    async def open_line() -> AsyncIterator[Line]:
        from speech_translator.streaming import LiveDriver, SessionLimits  # noqa: PLC0415

        line = _EngineLine()
        driver = LiveDriver(
            line.service,
            services.translator,
            SessionLimits.from_settings(settings),
            decoders=services.decoders,
            owner="cli",
        )
        running = asyncio.create_task(driver.run())
        running.add_done_callback(lambda _: line.hang_up())
        try:
            yield line
        finally:
            running.cancel()
            for outcome in await asyncio.gather(running, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    return open_line


class _EngineLine:
    """The client's end of a line within this process; ``service`` is the session's."""

    def __init__(self) -> None:
        self.service = _EngineTransport()

    def hang_up(self) -> None:
        """The session has ended: nothing more comes."""
        self.service.events.put_nowait(None)

    async def send(self, message: str | bytes) -> None:
        """See ``Line``."""
        await self.service.messages.put(message)

    async def receive(self) -> str | bytes:
        """See ``Line``."""
        event = await self.service.events.get()
        if event is None:
            raise LineLost(self.service.reason)
        return event


class _EngineTransport:
    """The session's end of it: a ``streaming.Transport``."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue(_WAITING)
        self.events: asyncio.Queue[str | None] = asyncio.Queue()
        self.reason = ""

    async def receive(self) -> str | bytes | None:
        """See ``streaming.Transport``."""
        return await self.messages.get()

    async def send(self, text: str) -> None:
        """See ``streaming.Transport``."""
        await self.events.put(text)

    async def close(self, why: EndReason | SpeechTranslatorError) -> None:
        """See ``streaming.Transport``."""
        self.reason = why.code if isinstance(why, SpeechTranslatorError) else why
