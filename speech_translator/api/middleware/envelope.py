"""What surrounds every request: its id, its log line, its metrics, and the last catch of errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from speech_translator.api.errors import CLIENT_CLOSED_REQUEST, ClientDisconnected
from speech_translator.api.middleware.exchange import HEAD_ONLY, Exchange, SocketExchange, who
from speech_translator.errors import Draining, Overloaded, ShuttingDown, SpeechTranslatorError
from speech_translator.observability import Metrics, logger
from speech_translator.observability.metrics import UNMATCHED
from speech_translator.problems import ERROR_KEY
from speech_translator.security.answer_headers import identified

_QUIET = frozenset({"/health", "/health/simple", "/health/live", "/health/ready", "/metrics"})
"""Routes that machines ask every few seconds: logged at debug level."""


class Envelope:
    """Gives each request an id and accounts for it; answers 500 when nothing else did.

    Args:
        app: the rest of the application.
        metrics: where requests are counted.
        max_concurrent: requests at the same time; further ones get a 503.
        draining: whether the service is about to stop: what is new gets a 503 then, what is
            cancelled as well, and connections end with their answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        max_concurrent: int,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._draining = draining
        self._metrics = metrics
        self._max_concurrent = max_concurrent
        self._in_flight = 0
        self._log = logger("speech_translator.api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = identified(scope)
        if scope["type"] == "websocket":
            await self._serve_socket(scope, SocketExchange(receive, send, state))
            return
        exchange = Exchange(receive, send, state, self._draining)
        started = time.perf_counter()
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        # Every GET answers HEAD (RFC 9110, 9.3.2) without a route of its own; the server, which
        # keeps the scope that it made, leaves out the body. One without end is not begun.
        head_only = scope["method"] == "HEAD"
        asked = {**scope, "method": "GET", HEAD_ONLY: True} if head_only else scope
        try:
            await self._serve(asked, exchange)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)
            self._account(asked, scope["method"], exchange, time.perf_counter() - started)

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        try:
            # Without the prefix under which another application may have mounted this one.
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            refusal = None if path in _QUIET else self._refusal()
            if refusal is not None:
                await exchange.fail(scope, refusal)
                return
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnected:
            exchange.status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or exchange.status or not self._draining():
                raise
            task.uncancel()  # the server's last word to a request that outlives the grace
            stopped = ShuttingDown("The service has stopped before the answer was there.")
            await exchange.fail(scope, stopped)
        except Exception as error:
            request_id = exchange.state["request_id"]
            self._log.error("request_failed", request_id=request_id, exc_info=error)
            if exchange.status:
                raise  # half an answer is out: the server must cut the connection
            await exchange.fail(scope, SpeechTranslatorError("Something went wrong on our side."))

    async def _serve_socket(self, scope: Scope, exchange: SocketExchange) -> None:
        """Serve a WebSocket; one log line when it has ended."""
        started = time.perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._count_error(exchange.state)
            self._log.info(
                "socket",
                request_id=exchange.state["request_id"],
                **who(exchange.state),
                route=_route_of(scope),
                status=exchange.status or 500,
                error=exchange.state.get(ERROR_KEY),
                close_code=exchange.close_code,
                duration_ms=round((time.perf_counter() - started) * 1000, 2),
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
            )

    def _refusal(self) -> SpeechTranslatorError | None:
        """Why a new request is not served; None where it is."""
        if self._draining():
            return Draining("The service is about to stop and takes no new requests.")
        if self._in_flight > self._max_concurrent:
            return Overloaded("The service is at its limit.")
        return None

    def _count_error(self, state: dict[str, Any]) -> None:
        code = state.get(ERROR_KEY)
        if code is not None:
            self._metrics.error(code)

    def _account(self, scope: Scope, method: str, exchange: Exchange, seconds: float) -> None:
        """One log line and the metrics of a finished request."""
        route = _route_of(scope)
        status = exchange.status or 500
        self._metrics.request_done(route, method, status, seconds)
        self._count_error(exchange.state)
        write = self._log.debug if route in _QUIET else self._log.info
        write(
            "request",
            request_id=exchange.state["request_id"],
            **who(exchange.state),
            method=method,
            route=route,
            status=status,
            error=exchange.state.get(ERROR_KEY),
            duration_ms=round(seconds * 1000, 2),
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
        )


def _route_of(scope: Scope) -> str:
    """The route's template: a path would hold ids, or whatever somebody looks for."""
    found: str = getattr(scope.get("route"), "path_format", UNMATCHED)
    return found
