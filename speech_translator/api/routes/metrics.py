"""``GET /metrics``: Prometheus's text, or the same figures as JSON."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import JSON_TYPE
from speech_translator.api.dependencies import admitted, state_of
from speech_translator.api.negotiation import preferred_type
from speech_translator.api.openapi import asks_for, gives
from speech_translator.observability.metrics import TEXT_CONTENT_TYPE
from speech_translator.security.bootstrap import is_forwarded
from speech_translator.security.forwarding import direct_peer_of
from speech_translator.security.networks import lies_in, parse_address, parse_networks
from speech_translator.security.scopes import Scope

router = APIRouter(tags=["operation"])

_TEXT = "text/plain"


def _is_scraper(request: Request) -> bool:
    """Whether who asks is at one of the networks that need no key."""
    networks = parse_networks(state_of(request).settings.metrics_networks, "METRICS_NETWORKS")
    address = parse_address(direct_peer_of(request) or "")
    return address is not None and lies_in(address, networks) and not is_forwarded(request.headers)


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    response_model=None,
    openapi_extra={
        **gives(
            {_TEXT: {"type": "string"}, JSON_TYPE: {"type": "object"}},
            failures=(401, 403, 429, 503),
        ),
        "security": [{}, *asks_for(Scope.METRICS)["security"]],  # by the environment
    },
)
async def metrics(request: Request) -> Response:
    """Give Prometheus's text format, or JSON under `Accept: application/json`.

    In production this needs a key with the scope `metrics` or `admin`, or a peer in
    `METRICS_NETWORKS` that passes on nobody else's request.
    """
    state = state_of(request)
    if state.settings.environment == "production" and not _is_scraper(request):
        await admitted(request, Scope.METRICS, "account")
    found = state.metrics
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    if preferred_type(request.headers, (_TEXT, JSON_TYPE), default=_TEXT) == JSON_TYPE:
        return Response(orjson.dumps(found.as_json()), media_type=JSON_TYPE, headers=headers)
    return Response(found.as_text(), headers={**headers, "Content-Type": TEXT_CONTENT_TYPE})
