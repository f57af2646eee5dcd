"""``GET /metrics``: Prometheus's text, or the same figures as JSON."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import JSON_TYPE
from speech_translator.api.dependencies import state_of
from speech_translator.api.negotiation import preferred_type
from speech_translator.api.openapi import gives
from speech_translator.observability.metrics import TEXT_CONTENT_TYPE

router = APIRouter(tags=["operation"])

_TEXT = "text/plain"


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({_TEXT: {"type": "string"}, JSON_TYPE: {"type": "object"}}),
)
async def metrics(request: Request) -> Response:
    """Give Prometheus's text format, or JSON under `Accept: application/json`."""
    found = state_of(request).metrics
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    if preferred_type(request.headers, (_TEXT, JSON_TYPE), default=_TEXT) == JSON_TYPE:
        return Response(orjson.dumps(found.as_json()), media_type=JSON_TYPE, headers=headers)
    return Response(found.as_text(), headers={**headers, "Content-Type": TEXT_CONTENT_TYPE})
