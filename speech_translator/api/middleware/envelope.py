"""What surrounds every request: its id, its log line, its metrics, and the last catch of errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speech_translator.api.errors import CLIENT_CLOSED_REQUEST, ClientDisconnected
from speech_translator.errors import Draining, Overloaded, ShuttingDown, SpeechTranslatorError
from speech_translator.observability import Metrics, logger
from speech_translator.observability.metrics import UNMATCHED
from speech_translator.problems import problem_response
from speech_translator.security.answer_headers import headers_of, identified, with_headers

_QUIET = frozenset({"/health", "/health/simple", "/health/live", "/health/ready", "/metrics"})
"""Routes that machines ask every few seconds: logged at debug level."""

_LAST = (b"connection", b"close")


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
            await self._app(scope, receive, with_headers(send, state))
            return
        exchange = _Exchange(send, state, self._draining)
        started = time.perf_counter()
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        # Every GET answers HEAD (RFC 9110, 9.3.2) without a route of its own; the server, which
        # keeps the scope that it made, leaves out the body.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._serve(asked, receive, exchange)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)
            self._account(asked, scope["method"], exchange, time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        try:
            # Without the prefix under which another application may have mounted this one.
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            refusal = None if path in _QUIET else self._refusal()
            if refusal is not None:
                await exchange.fail(scope, receive, refusal)
                return
            await self._app(scope, receive, exchange.send)
        except ClientDisconnected:
            exchange.status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or exchange.status or not self._draining():
                raise
            task.uncancel()  # the server's last word to a request that outlives the grace
            stopped = ShuttingDown("The service has stopped before the answer was there.")
            await exchange.fail(scope, receive, stopped)
        except Exception as error:
            self._log.error("request_failed", request_id=exchange.request_id, exc_info=error)
            if exchange.status:
                raise  # half an answer is out: the server must cut the connection
            await exchange.fail(
                scope, receive, SpeechTranslatorError("Something went wrong on our side.")
            )

    def _refusal(self) -> SpeechTranslatorError | None:
        """Why a new request is not served; None where it is."""
        if self._draining():
            return Draining("The service is about to stop and takes no new requests.")
        if self._in_flight > self._max_concurrent:
            return Overloaded("The service is at its limit.")
        return None

    def _account(self, scope: Scope, method: str, exchange: _Exchange, seconds: float) -> None:
        """One log line and the metrics of a finished request."""
        route = getattr(scope.get("route"), "path_format", UNMATCHED)
        status = exchange.status or 500
        self._metrics.request_done(route, method, status, seconds)
        write = self._log.debug if route in _QUIET else self._log.info
        write(
            "request",
            request_id=exchange.request_id,
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            bytes_out=exchange.bytes_out,
        )


class _Exchange:
    """One answer on its way out."""

    __slots__ = ("_draining", "_send", "_state", "bytes_out", "status")

    def __init__(self, send: Send, state: dict[str, Any], draining: Callable[[], bool]) -> None:
        self._send = send
        self._state = state
        self._draining = draining
        self.status = 0
        self.bytes_out = 0

    @property
    def request_id(self) -> str:
        """The id that the server gave this request."""
        found: str = self._state["request_id"]
        return found

    async def send(self, message: Message) -> None:
        """Pass a message on, with our headers on the first."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            headers.extend(headers_of(self._state))
            if self._draining():
                headers.append(_LAST)
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def fail(self, scope: Scope, receive: Receive, error: SpeechTranslatorError) -> None:
        """Answer with a problem document."""
        await problem_response(error, self.request_id)(scope, receive, self.send)
