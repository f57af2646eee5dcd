"""``POST /auth/api-key``: keys, made by an administrator, or at this machine in development."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import json_response
from speech_translator.api.body import Pace, read_json
from speech_translator.api.dependencies import ANONYMOUS, accounts_of, principal_of, state_of
from speech_translator.api.errors import request_id_of
from speech_translator.api.openapi import json_operation
from speech_translator.api.schemas import ApiKeyAnswer, ApiKeyRequest
from speech_translator.errors import InvalidField, LimitExceeded
from speech_translator.observability import logger
from speech_translator.security.bootstrap import is_local_operator, parse_networks
from speech_translator.security.limits import Debit, Rate
from speech_translator.security.scopes import Scope, parse_scopes, refusal
from speech_translator.security.tiers import TierName

router = APIRouter(tags=["accounts"])

_decoder = msgspec.json.Decoder(ApiKeyRequest)
_log = logger(__name__)
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
    ),
)
async def create_api_key(request: Request) -> Response:
    """Make a key, shown this once.

    Needs a key with the scope `admin`; in development, requests from this machine that no web page
    and no proxy sent need none: such a key is no administrator's and ends within 30 days.
    """
    state = state_of(request)
    settings = state.settings
    wanted = await read_json(
        request,
        _decoder,
        limit=settings.max_body_bytes,
        pace=Pace(settings.body_timeout_s, settings.request_timeout_s),
    )
    tier = _tier(wanted.tier)
    scopes = None if wanted.scopes is None else parse_scopes(wanted.scopes)
    principal = await principal_of(request)
    peer = request.client.host if request.client else None
    if principal is not None:
        principal.require(Scope.ADMIN)
    elif settings.environment != "development" or not is_local_operator(
        peer, request.headers, parse_networks(settings.bootstrap_networks)
    ):
        raise refusal()
    else:
        decision = await state.bootstraps.acquire([Debit(ANONYMOUS, _BOOTSTRAPS)])
        if not decision.allowed:
            raise LimitExceeded(
                "Too many keys were made without a key.", retry_after=decision.retry_after_s
            )
    from speech_translator.security.accounts import Actor  # noqa: PLC0415 - opened when needed

    accounts = await accounts_of(request)
    actor = Actor(principal.owner if principal else ANONYMOUS, str(peer), request_id_of(request))
    text, record = await accounts.create_key(
        wanted.user_id,
        tier,
        actor,
        name=wanted.name,
        scopes=scopes,
        expires_in_days=wanted.expires_in_days,
        bootstrap=principal is None,
    )
    if principal is None:
        _log.warning("a key was made without a key", key_id=record.id, tier=record.tier)
    answer = ApiKeyAnswer(
        api_key=text,
        key_id=record.id,
        user_id=record.owner,
        name=record.name,
        tier=record.tier,
        scopes=tuple(sorted(record.scopes)),
        created_at=record.created_at / 1000,
        expires_at=None if record.expires_at is None else record.expires_at / 1000,
    )
    response = json_response(answer, status=201)
    response.headers["Cache-Control"] = "no-store"
    return response


def _tier(name: str) -> TierName:
    try:
        return TierName(name)
    except ValueError:
        raise InvalidField(f"Tiers are {', '.join(TierName)}.", field="tier") from None
