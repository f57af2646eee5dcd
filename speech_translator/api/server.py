"""Serving the application: uvicorn, configured for untrusted clients and a clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
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

import uvicorn
from fastapi import FastAPI

from speech_translator.api.app import create_app, start_logging
from speech_translator.api.banner import engine_lines, listening_lines
from speech_translator.api.dependencies import ApiState
from speech_translator.api.http_protocol import bounded
from speech_translator.api.realtime.stream import hub_of
from speech_translator.api.socket_protocol import BoundedSocketProtocol
from speech_translator.errors import ConfigurationError
from speech_translator.observability import logger
from speech_translator.settings import Settings

MAX_SOCKET_MESSAGE_BYTES = 1024 * 1024
"""Largest WebSocket message: half a minute of 16 kHz PCM."""

_KEEP_ALIVE_S = 30
_BACKLOG = 2048
_BANNER_POLL_S = 0.1
_GC_YOUNG_OBJECTS = 20_000


def serve(settings: Settings, app: FastAPI | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight get ``shutdown_grace_s`` to finish.

    Args:
        settings: the configuration; its host and port are listened on.
        app: made by ``create_app(settings)``, which is done here by default.

    Raises:
        ConfigurationError: the settings name an engine that does not exist, or an address that
            cannot be listened on.
        SystemExit: the service cannot start.
    """
    start_logging(settings)
    app = app or create_app(settings)
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
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_s)),
    )


class AnnouncingServer(uvicorn.Server):
    """uvicorn's server that says what it serves, and that tells the application to drain."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._log = logger("speech_translator.api")
        self._state: ApiState = app.state.api
        self._announcing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[Socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            url = self._url()
            self._log.info("listening", url=url)
            _say(listening_lines(url))
            self._announcing = asyncio.create_task(self._announce_engines(url))

    async def shutdown(self, sockets: list[Socket] | None = None) -> None:
        """Fail the readiness probe, let live sessions end, then stop as uvicorn does."""
        self._state.draining = True
        self._log.info("stopping", live_sessions=len(hub_of(self._app)))
        if self._announcing is not None:
            self._announcing.cancel()
        # uvicorn closes sockets at once; a session gets to finish its segment.
        await hub_of(self._app).drain(self._state.settings.shutdown_grace_s)
        await super().shutdown(sockets)
        self._log.info("stopped")

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
        _say(engine_lines(url, self._state.tasks, services.broker.status()))


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
