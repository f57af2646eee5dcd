"""What an operator does to a running service: empty the cache, see and close circuit breakers."""

from __future__ import annotations

from dataclasses import asdict

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.account_schemas import (
    BreakerAnswer,
    BreakersAnswer,
    CacheClearedAnswer,
    ResetAnswer,
    ResetRequest,
)
from speech_translator.api.answers import no_store
from speech_translator.api.dependencies import admitted, json_of, services_of
from speech_translator.api.openapi import gives, json_operation, ref
from speech_translator.api.operators import note_operation, operator_of
from speech_translator.errors import NotFound
from speech_translator.security.scopes import Scope

router = APIRouter(tags=["operations"])

_decoder = msgspec.json.Decoder(ResetRequest)


@router.post(
    "/admin/cache/clear",
    summary="Forget all cached results",
    response_class=Response,
    response_model=None,
    openapi_extra=gives(
        {"application/json": ref(CacheClearedAnswer)}, failures=(401, 403, 429, 503)
    ),
)
async def clear_cache(request: Request) -> Response:
    """Empty this replica's cache; needs the scope `admin`.

    In development, a request from this machine that no web page and no proxy sent needs no key.
    """
    operator = await operator_of(request)
    await note_operation(request, operator, "cache.clear", "cache")
    return no_store(CacheClearedAnswer(cleared=services_of(request).translator.clear_cache()))


@router.get(
    "/admin/circuit-breakers",
    summary="The circuit breakers",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({"application/json": ref(BreakersAnswer)}, failures=(401, 403, 429, 503)),
)
async def circuit_breakers(request: Request) -> Response:
    """Each dependency's breaker as this replica sees it; needs the scope `admin`."""
    await admitted(request, Scope.ADMIN, "account")
    found = services_of(request).breakers.breakers()
    return no_store(
        BreakersAnswer(breakers=[BreakerAnswer(**asdict(one.snapshot())) for one in found])
    )


@router.post(
    "/admin/circuit-breaker/reset",
    summary="Close circuit breakers",
    response_class=Response,
    response_model=None,
    openapi_extra=json_operation(
        ResetRequest,
        ResetAnswer,
        optional=True,
        failures=(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
    ),
)
async def reset_circuit_breakers(request: Request) -> Response:
    """Close the breaker `name`, or all where none is named, and forget what was counted.

    Needs the scope `admin`. In development, a request from this machine that no web page and no
    proxy sent needs no key.
    """
    operator = await operator_of(request)
    wanted = await json_of(request, _decoder, optional=True)
    breakers = services_of(request).breakers
    known = sorted(one.name for one in breakers.breakers())
    if wanted.name is not None and wanted.name not in known:
        raise NotFound("There is no circuit breaker of that name.", breakers=known)
    await note_operation(request, operator, "breaker.reset", f"breaker:{wanted.name or '*'}")
    return no_store(ResetAnswer(reset=await breakers.reset(wanted.name)))
