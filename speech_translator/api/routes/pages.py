"""``GET /``, the page of those who read along, the API documentation, and the files of all three.

Addresses within them are relative, or begin with the prefix under which another application has
mounted this one.
"""

from __future__ import annotations

import msgspec
import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator import __version__
from speech_translator.api import asyncapi, pages
from speech_translator.api.answers import JSON_TYPE, json_response
from speech_translator.api.dependencies import state_of
from speech_translator.api.negotiation import preferred_type
from speech_translator.api.openapi import gives, ref
from speech_translator.api.schemas import ServiceAnswer

router = APIRouter(tags=["information"])

_HTML = "text/html"
_SERVICE = ServiceAnswer(
    name="speech-translator",
    version=__version__,
    description="Speech in, captions, translated text and translated speech out.",
    key_needed=True,
    links={
        "documentation": "/docs",
        "openapi": "/openapi.json",
        "asyncapi": "/asyncapi.json",
        "languages": "/languages",
        "voices": "/voices",
        "models": "/models",
        "health": "/health",
        "metrics": "/metrics",
        "translate_text": "/translate/text",
        "transcribe_audio": "/transcribe/audio",
        "translate_speech": "/translate/speech",
        "live": "/translate/stream",
    },
)


@router.get(
    "/",
    summary="The page, or the service in JSON",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({JSON_TYPE: ref(ServiceAnswer), _HTML: {"type": "string"}}),
)
async def service(request: Request) -> Response:
    """Give a browser the page, and everyone else what this service is, as JSON."""
    if preferred_type(request.headers, (JSON_TYPE, _HTML), default=JSON_TYPE) == _HTML:
        answer = pages.start_page(request.app.state.brand, request.headers)
    else:
        prefix = _prefix(request)
        links = {name: prefix + path for name, path in _SERVICE.links.items()}
        keyed = state_of(request).settings.anonymous_tier is None
        answer = json_response(msgspec.structs.replace(_SERVICE, key_needed=keyed, links=links))
    answer.headers["Vary"] = "Accept"
    return answer


@router.get("/openapi.json", include_in_schema=False, response_class=Response, response_model=None)
async def openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    state = state_of(request)
    if state.openapi is None:
        prefix = _prefix(request)
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        state.openapi = orjson.dumps({**request.app.openapi(), **servers})
    return Response(state.openapi, media_type=JSON_TYPE)


@router.get("/asyncapi.json", include_in_schema=False, response_class=Response, response_model=None)
async def asyncapi_document(request: Request) -> Response:
    """The AsyncAPI document: the messages of the live socket."""
    return Response(asyncapi.document(_prefix(request)), media_type=JSON_TYPE)


@router.get("/docs", include_in_schema=False, response_class=Response, response_model=None)
async def docs(request: Request) -> Response:
    """Swagger UI."""
    return pages.documentation(request.headers)


@router.get("/captions", include_in_schema=False, response_class=Response, response_model=None)
async def reader(request: Request) -> Response:
    """The page that reads a shared session; the link's secret stays in the browser."""
    return pages.reader_page(request.app.state.brand, request.headers)


@router.get("/docs/{name}", include_in_schema=False, response_class=Response, response_model=None)
async def docs_file(name: str) -> Response:
    """A file of Swagger UI."""
    return pages.swagger_file(name)


@router.get("/assets/{name}", include_in_schema=False, response_class=Response, response_model=None)
async def asset(name: str, request: Request) -> Response:
    """A file of our pages."""
    return pages.asset(name, request.app.state.brand, request.headers)


def _prefix(request: Request) -> str:
    """Under which the application is mounted; empty where it stands alone."""
    return str(request.scope.get("root_path", "")).rstrip("/")
