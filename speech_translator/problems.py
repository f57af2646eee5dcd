"""The one mapping of the error tree to the wire: HTTP status and body, WebSocket close code.

Bodies are ``application/problem+json`` (RFC 9457) with a stable ``code`` and the request id. They
hold the error's own message and details, which never quote what the caller sent. Works in any
Starlette application, on requests and on WebSockets:
``app.add_exception_handler(SpeechTranslatorError, on_error)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from speech_translator import errors
from speech_translator.errors import SpeechTranslatorError

_DENIAL = "websocket.http.response"
"""ASGI's extension by which a handshake is answered like any request."""

ERROR_KEY = "error"
"""Where in a connection's state the code of its error is."""

PROBLEM_TYPE = "application/problem+json"
_STATUS: Mapping[type[SpeechTranslatorError], int] = {
    SpeechTranslatorError: 500,
    errors.ConfigurationError: 503,
    errors.InvalidRequest: 422,
    errors.MalformedBody: 400,
    errors.PayloadTooLarge: 413,
    errors.BodyTimeout: 408,
    errors.UnsupportedMediaType: 415,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.LimitExceeded: 429,
    errors.Suspended: 429,
    errors.IdempotencyInProgress: 409,
    errors.AnswerNotKept: 409,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.UntrustedHost: 421,
    errors.CrossSiteRequest: 403,
    errors.UnsupportedAudio: 415,
    errors.AudioTooLong: 413,
    errors.Unavailable: 503,
    errors.EngineFailed: 502,
    errors.EngineTimeout: 504,
    errors.DeadlineExceeded: 504,
}
"""Status by class; a class that is not named takes that of its nearest parent."""

_RETRY_AFTER: Mapping[type[SpeechTranslatorError], float] = {
    errors.CircuitOpen: 1,
    errors.EngineUnavailable: 2,
    errors.Overloaded: 1,
    errors.ShuttingDown: 5,
    errors.EngineTimeout: 5,
}
"""Seconds for ``Retry-After`` where the error itself names none."""

_CLOSE_CODE: Mapping[type[SpeechTranslatorError], int] = {
    SpeechTranslatorError: 1011,
    errors.InvalidRequest: 1008,
    errors.PayloadTooLarge: 1009,
    errors.Unavailable: 1013,
    errors.ShuttingDown: 1012,
    errors.EngineFailed: 1011,
}
"""WebSocket close codes (RFC 6455 and IANA's registry), by the same rule."""


def status_of(error: SpeechTranslatorError) -> int:
    """HTTP status of an error."""
    return next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)


def close_code_of(error: SpeechTranslatorError) -> int:
    """WebSocket close code of an error."""
    return next(_CLOSE_CODE[cls] for cls in type(error).__mro__ if cls in _CLOSE_CODE)


def title_of(code: str) -> str:
    """The code in words: ``text_too_long`` is "Text too long"."""
    return code.replace("_", " ").capitalize()


def retry_after_of(error: SpeechTranslatorError) -> int | None:
    """Whole seconds for ``Retry-After``, or None where a retry makes no more sense later."""
    seconds = getattr(error, "retry_after", None) or next(
        (_RETRY_AFTER[cls] for cls in type(error).__mro__ if cls in _RETRY_AFTER), None
    )
    return None if seconds is None else max(1, math.ceil(seconds))


def problem(error: SpeechTranslatorError, request_id: str) -> dict[str, object]:
    """The members of a problem document."""
    members: dict[str, object] = {
        "type": f"urn:speech-translator:error:{error.code}",
        "title": title_of(error.code),
        "status": status_of(error),
        "detail": error.message,
        "code": error.code,
        "request_id": request_id,
    }
    return {**members, **error.details, **members}  # details stand after, and replace nothing


def note_error(scope: Scope, error: SpeechTranslatorError) -> None:
    """Leave the error's code where whoever accounts for the request finds it."""
    scope.setdefault("state", {})[ERROR_KEY] = error.code


class _Problem(Response):
    """A problem document; once it is sent, its code is known to who accounts for the request."""

    def __init__(
        self, error: SpeechTranslatorError, body: bytes, headers: Mapping[str, str]
    ) -> None:
        super().__init__(body, status_of(error), headers, PROBLEM_TYPE)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        note_error(scope, self._error)
        await super().__call__(scope, receive, send)


def problem_response(
    error: SpeechTranslatorError, request_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a request that failed."""
    sent = dict(headers or {})
    retry_after = retry_after_of(error)
    if retry_after is not None:
        sent["Retry-After"] = str(retry_after)
    if isinstance(error, errors.Unauthenticated):
        sent["WWW-Authenticate"] = 'Bearer realm="speech-translator"'  # RFC 9110, 11.6.1
    sent["Cache-Control"] = "no-store"
    begun = isinstance(error, errors.PayloadTooLarge) and error.begun
    if begun or isinstance(error, errors.BodyTimeout):
        sent["Connection"] = "close"  # the rest of the body may never come, or never end
    return _Problem(error, orjson.dumps(problem(error, request_id), default=str), sent)


def request_id_of(connection: HTTPConnection) -> str:
    """The id that the server gave this request."""
    found: str = connection.scope.get("state", {}).get("request_id", "")
    return found


class _NothingMore(Response):
    """What there is to send to a socket that was closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def on_error(connection: HTTPConnection, error: Exception) -> Response:
    """The answer to an error of our tree.

    A socket is refused like any request before it opens, and closed after.
    """
    if not isinstance(error, SpeechTranslatorError):
        raise error
    if isinstance(connection, WebSocket) and not _takes_answers(connection):
        if connection.application_state is not WebSocketState.DISCONNECTED:
            with suppress(WebSocketDisconnect):  # there is nobody to tell
                await connection.close(close_code_of(error), error.code)
        return _NothingMore()
    return problem_response(error, request_id_of(connection))


def _takes_answers(socket: WebSocket) -> bool:
    """Whether its handshake is under way, at a server that can answer it."""
    return socket.application_state is WebSocketState.CONNECTING and _DENIAL in socket.scope.get(
        "extensions", {}
    )
