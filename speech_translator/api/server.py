"""Serving the application: uvicorn, configured for untrusted clients and a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Iterable
from socket import (
    AF_INET,
    AF_INET6,
    AI_PASSIVE,
    SOCK_STREAM,
    create_server,
    getaddrinfo,
    has_dualstack_ipv6,
)
from socket import socket as Socket  # noqa: N812 # a class, named like one
from types import FrameType

import uvicorn
from fastapi import FastAPI

from speech_translator.api.app import create_app, start_logging
from speech_translator.api.banner import engine_lines, listening_lines
from speech_translator.api.dependencies import ApiState
from speech_translator.api.http_protocol import bounded
from speech_translator.api.preflight import preflight
from speech_translator.api.realtime.stream import hub_of
from speech_translator.api.socket_protocol import BoundedSocketProtocol
from speech_translator.errors import ConfigurationError
from speech_translator.observability import logger
from speech_translator.settings import Settings

MAX_SOCKET_MESSAGE_BYTES = 1024 * 1024
"""Largest WebSocket message: half a minute of 16 kHz PCM."""

_KEEP_ALIVE_S = 30
_BACKLOG = 2048
_CLOSE_S = 1
"""Seconds for connections to close once everything was answered or given up."""

_SOCKET_END_S = 0.2
_SAME_SIGNAL_S = 0.25
"""Seconds in which a signal is the same one again: timeout(1) sends it twice."""

_BANNER_POLL_S = 0.1
_GC_YOUNG_OBJECTS = 20_000


def serve(settings: Settings, app: FastAPI | None = None) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight gets ``shutdown_grace_s`` to finish.

    The process then ends with status 0. A second signal ends it at once, by that signal.

    Args:
        settings: the configuration; its host and port are listened on.
        app: made by ``create_app(settings)``, which is done here by default.

    Raises:
        ConfigurationError: the settings name an engine that does not exist, or an address that
            cannot be listened on, SQLite's file is damaged, or production lacks its secret or its
            administrator's key.
        SystemExit: the service cannot start.
    """
    start_logging(settings)
    app = app or create_app(settings)
    asyncio.run(preflight(settings))
    # What was imported stays: it need not be looked through again and again. A request makes many
    # small objects and few cycles, so the youngest generation may grow further than by default.
    gc.freeze()
    gc.set_threshold(_GC_YOUNG_OBJECTS, 20, 20)
    with contextlib.suppress(KeyboardInterrupt), listen(settings.host, settings.port) as socket:
        AnnouncingServer(server_config(app, settings), app).run([socket])


def listen(host: str, port: int) -> Socket:
    """A listening socket, made before anything else is started.

    Raises:
        ConfigurationError: the address is taken, not allowed or unknown.
    """
    try:
        found = getaddrinfo(host, port, type=SOCK_STREAM, flags=AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != AF_INET)
        both = family == AF_INET6 and host == "::" and has_dualstack_ipv6()
        return create_server(address[:2], family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port}: {reason}. Set HOST and PORT."
        ) from error


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Configure uvicorn.

    No access log (we write our own lines), no ``Server`` header, no trust in forwarding headers,
    WebSocket messages bounded and uncompressed: audio does not shrink, and a compressed message
    may hold a thousand times its size.
    """
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=bounded(settings.header_timeout_s),
        ws=BoundedSocketProtocol,
        ws_max_size=MAX_SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        # A client that sends faster than we read has its pongs behind its audio; the live sessions
        # have an idle timeout of their own.
        ws_ping_timeout=None,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_CLOSE_S,
    )


class AnnouncingServer(uvicorn.Server):
    """uvicorn's server that says what it serves, and that tells the application to drain."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._log = logger("speech_translator.api")
        self._state: ApiState = app.state.api
        self._announcing: asyncio.Task[None] | None = None
        self._asked_at: float | None = None

    async def startup(self, sockets: list[Socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            url = self._url()
            self._log.info("listening", url=url)
            _say(listening_lines(url))
            self._announcing = asyncio.create_task(self._announce_engines(url))

    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        """Begin to stop at the first signal, end at the second one."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._state.drain()
            # Not uvicorn's own way, which raises the signal anew once all is done: a service that
            # stops as it was told has not failed, and its exit status is 0.
            self.should_exit = True
        elif time.monotonic() - self._asked_at > _SAME_SIGNAL_S:
            # Engines and decoders end with us, whichever way we end.
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)

    async def shutdown(self, sockets: list[Socket] | None = None) -> None:
        """Let requests and live sessions finish side by side, then stop as uvicorn does.

        Meanwhile the port stays open: probes are answered, and the rest is refused.
        """
        self._state.drain()
        hub = hub_of(self._app)
        under_way = set(self.server_state.tasks)
        self._log.info("stopping", live_sessions=len(hub), in_flight=len(under_way))
        if self._announcing is not None:
            self._announcing.cancel()
        hub.drain()
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=self._state.grace_left())
            await self._cut_off(late)
        await super().shutdown(sockets)
        self._log.info("stopped")

    async def _cut_off(self, late: set[asyncio.Task[None]]) -> None:
        """End what outlives the grace: sockets with a close frame, requests with an error."""
        if not late:
            return
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, BoundedSocketProtocol):
                connection.shutdown()
        _, late = await asyncio.wait(late, timeout=_SOCKET_END_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_CLOSE_S)

    def _url(self) -> str:
        """Where we listen, with the port that the system chose for port 0."""
        port = self.servers[0].sockets[0].getsockname()[1]
        return self._state.settings.model_copy(update={"port": port}).url

    async def _announce_engines(self, url: str) -> None:
        services = self._state.services
        if services is None:
            return
        while any(  # noqa: ASYNC110 # engines are ready, failed or missing, each at its own time
            status.state == "starting" for status in services.broker.status().values()
        ):
            await asyncio.sleep(_BANNER_POLL_S)
        _say(engine_lines(self._state.settings, url, self._state.tasks, services.broker.status()))


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
