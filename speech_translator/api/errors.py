"""What the framework refuses by itself, in the words of our error tree; see ``problems``."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from speech_translator import errors
from speech_translator.errors import SpeechTranslatorError
from speech_translator.problems import problem_response, request_id_of

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left; seen in logs and metrics only."""


class ClientDisconnected(Exception):  # an event, not an error of ours
    """The client left before it was answered; there is nobody to tell."""


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses by itself: unknown routes and methods."""
    if not isinstance(error, HTTPException):
        raise error
    known: SpeechTranslatorError
    if error.status_code == HTTPStatus.NOT_FOUND:
        known = errors.NotFound("There is nothing at this address; see /docs.")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        known = errors.MethodNotAllowed("This address does not take this method; see Allow.")
        return problem_response(known, request_id_of(request), _allow(request, error))
    elif error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        known = errors.PayloadTooLarge("The body is larger than this address takes.")
    elif error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        known = errors.InvalidRequest("The request cannot be served as it is.")
    else:
        raise error
    return problem_response(known, request_id_of(request), error.headers)


def _allow(request: Request, error: HTTPException) -> Mapping[str, str] | None:
    """All methods of the address (RFC 9110, 15.5.6); the framework names those of one route."""
    path = getattr(request.scope.get("route"), "path", None)
    methods = request.app.openapi()["paths"].get(path)
    if methods is None:
        return error.headers
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))}


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer what a declared parameter refuses; names the field, never its value."""
    if not isinstance(error, RequestValidationError):
        raise error
    field = ".".join(str(part) for part in error.errors()[0]["loc"][1:2])
    known = errors.InvalidField(f"`{field}` is missing or wrong.", field=field)
    return problem_response(known, request_id_of(request))
