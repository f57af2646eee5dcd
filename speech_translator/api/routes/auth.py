"""API keys: made by an administrator, or at this machine in development; listed, rotated, revoked.

Owners see and change their own, administrators everybody's.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.account_schemas import (
    ApiKeyAnswer,
    ApiKeyInfo,
    ApiKeyRequest,
    ApiKeysAnswer,
    RotationRequest,
)
from speech_translator.api.answers import no_store
from speech_translator.api.dependencies import (
    accounts_of,
    actor_of,
    admitted,
    json_of,
    state_of,
)
from speech_translator.api.openapi import errors, gives, json_operation, query_parameter, ref
from speech_translator.api.operators import is_operators
from speech_translator.errors import InvalidField
from speech_translator.observability import logger
from speech_translator.security.guard import credential_of
from speech_translator.security.key_limits import parse_limits
from speech_translator.security.limits import Rate
from speech_translator.security.scopes import Scope, parse_scopes
from speech_translator.security.tiers import TierName

router = APIRouter(tags=["accounts"])

_decoder = msgspec.json.Decoder(ApiKeyRequest)
_rotation = msgspec.json.Decoder(RotationRequest)
_log = logger(__name__)
_ID = {"type": "string", "description": "The `key_id` of a key."}
_KEY_ID = {"name": "key_id", "in": "path", "required": True, "schema": _ID}
_BOOTSTRAPS = Rate("bootstrap", 10)
"""Keys a minute that are made without one."""


@router.post(
    "/auth/api-key",
    summary="Make an API key",
    response_class=Response,
    response_model=None,
    status_code=201,
    openapi_extra=json_operation(
        ApiKeyRequest,
        ApiKeyAnswer,
        failures=(400, 401, 403, 408, 413, 415, 422, 429, 503),
        status=201,
        scope=Scope.ADMIN,
    ),
)
async def create_api_key(request: Request) -> Response:
    """Make a key, shown this once.

    Needs a key with the scope `admin`; in development, requests from this machine that no web page
    and no proxy sent need none: such a key is no administrator's and ends within 30 days.
    """
    state = state_of(request)
    principal = None
    if credential_of(request) is not None:
        principal = (await admitted(request, Scope.ADMIN, "account")).principal
        principal.require_key()
    elif not is_operators(request):
        raise await state.guard.refuse(request)
    wanted = await json_of(request, _decoder)
    tier = _tier(wanted.tier)
    scopes = None if wanted.scopes is None else parse_scopes(wanted.scopes)
    limits = parse_limits(msgspec.to_builtins(wanted.limits)) if wanted.limits else None
    if principal is None:
        await state.guard.limit_keyless(_BOOTSTRAPS)
    accounts = await accounts_of(request)
    text, record = await accounts.create_key(
        wanted.user_id,
        tier,
        actor_of(request, principal),
        name=wanted.name,
        scopes=scopes,
        expires_in_days=wanted.expires_in_days,
        limits=limits,
        bootstrap=principal is None,
    )
    if principal is None:
        _log.warning("a key was made without a key", key_id=record.id, tier=record.tier)
    return no_store(ApiKeyAnswer(api_key=text, **accounts.shown(record)), status=201)


@router.get(
    "/auth/api-keys",
    summary="List API keys",
    response_class=Response,
    response_model=None,
    openapi_extra={
        "parameters": [query_parameter("after", "The `next` of the page before.", _ID)],
        **gives({"application/json": ref(ApiKeysAnswer)}, failures=(401, 404, 503)),
    },
)
async def list_api_keys(request: Request) -> Response:
    """The caller's keys, the newest first; an administrator's list has everybody's.

    `after` is the `next` of the page before.
    """
    principal = (await admitted(request, endpoint="account")).principal
    accounts = await accounts_of(request)
    after = request.query_params.get("after")
    last = None if after is None else await accounts.key_of(principal, after)
    page = await accounts.keys(owner=None if principal.is_admin else principal.owner, after=last)
    following = page[-1].id if page else None
    keys = [ApiKeyInfo(**accounts.shown(record)) for record in page]
    return no_store(ApiKeysAnswer(keys=keys, next=following))


@router.post(
    "/auth/api-key/{key_id}/rotate",  # noqa: FAST003 - as below
    summary="Replace an API key",
    response_class=Response,
    response_model=None,
    status_code=201,
    openapi_extra=json_operation(
        RotationRequest,
        ApiKeyAnswer,
        optional=True,
        parameters=[_KEY_ID],
        failures=(400, 401, 403, 404, 408, 413, 415, 422, 503),
        status=201,
    ),
)
async def rotate_api_key(request: Request) -> Response:
    """A new key, shown this once, with the tier, scopes, limits and end of the old one.

    The old one goes on for `overlap_hours`, 24 where nothing is said. Needs a key that opens at
    least as much.
    """
    principal = (await admitted(request, endpoint="account")).principal
    principal.require_key()
    wanted = await json_of(request, _rotation, optional=True)
    accounts = await accounts_of(request)
    old = await accounts.key_of(principal, request.path_params["key_id"])
    text, record = await accounts.rotate_key(
        principal, old, actor_of(request, principal), overlap_s=wanted.overlap_hours * 3600
    )
    return no_store(ApiKeyAnswer(api_key=text, **accounts.shown(record)), status=201)


@router.delete(
    "/auth/api-key/{key_id}",  # noqa: FAST003 - declared, the document would promise its own 422
    summary="Revoke an API key",
    response_class=Response,
    response_model=None,
    status_code=204,
    openapi_extra={
        "parameters": [_KEY_ID],
        "responses": {"204": {"description": "Revoked"}, **errors(401, 403, 404, 503)},
    },
)
async def revoke_api_key(request: Request) -> Response:
    """Close a key and its tokens for good: here at once, on other replicas within 5 seconds.

    Needs the key itself, or one that opens at least as much.
    """
    principal = (await admitted(request, endpoint="account")).principal
    accounts = await accounts_of(request)
    principal.require_key()
    record = await accounts.key_of(principal, request.path_params["key_id"])
    await accounts.close_key(principal, record, actor_of(request, principal))
    return Response(status_code=204)


def _tier(name: str) -> TierName:
    try:
        return TierName(name)
    except ValueError:
        raise InvalidField(f"Tiers are {', '.join(TierName)}.", field="tier") from None
