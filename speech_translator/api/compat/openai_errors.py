"""Errors as OpenAI's API tells them, over HTTP and in its realtime events.

``code`` is our own: the ones of ``errors.py``, stable and listed in ``docs/REFERENCE.md``.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec
from starlette.responses import Response

from speech_translator.api.answers import JSON_TYPE, encode
from speech_translator.errors import SpeechTranslatorError
from speech_translator.problems import problem_response, status_of

ErrorType = Literal["invalid_request_error", "rate_limit_error", "server_error"]

_UNPROCESSABLE = 422
_BAD_REQUEST = 400
_TOO_MANY = 429
_SERVER = 500


class OpenAIError(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. `param` is the field that must change, where there is one."""

    message: str
    type: ErrorType
    code: str
    param: str | None = None


class OpenAIErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An error as OpenAI's API tells it."""

    error: OpenAIError


def openai_error(error: SpeechTranslatorError) -> OpenAIError:
    """An error of our tree in OpenAI's shape."""
    field = error.details.get("field")
    return OpenAIError(
        message=error.message,
        type=_type_of(status_of(error)),
        code=error.code,
        param=field if isinstance(field, str) and field else None,
    )


def openai_response(error: SpeechTranslatorError, request_id: str) -> Response:
    """The answer to a request that failed: our status and headers, but 400 for all of 422."""
    response = problem_response(error, request_id)  # which tells whoever counts errors of it
    response.body = encode(OpenAIErrorAnswer(error=openai_error(error)))
    response.headers["content-type"] = JSON_TYPE
    response.headers["content-length"] = str(len(response.body))
    if response.status_code == _UNPROCESSABLE:
        response.status_code = _BAD_REQUEST
    return response


def error_type(code: str) -> ErrorType:
    """The type of an error that is known by its code alone, as in a live session's messages."""
    return _types().get(code, "invalid_request_error")


@cache
def _types() -> dict[str, ErrorType]:
    found: dict[str, ErrorType] = {"speech_skipped": "server_error"}
    kinds = [SpeechTranslatorError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found[kind.code] = _type_of(status_of(kind("")))
    return found


def _type_of(status: int) -> ErrorType:
    if status >= _SERVER:
        return "server_error"
    return "rate_limit_error" if status == _TOO_MANY else "invalid_request_error"
