"""Tokens: made by a key, or for the page on this machine in development; closed; and checked.

A token is for browsers and for services that must not hold the key itself. It lives for minutes,
opens no more than its key, and ends with it.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.account_schemas import JsonWebKeys, TokenAnswer, TokenRequest
from speech_translator.api.answers import encode, no_store
from speech_translator.api.dependencies import (
    accounts_of,
    actor_of,
    admitted,
    json_of,
    state_of,
)
from speech_translator.api.openapi import errors, gives, json_operation, ref
from speech_translator.errors import Forbidden
from speech_translator.security.bootstrap import is_own_page
from speech_translator.security.forwarding import direct_peer_of
from speech_translator.security.guard import credential_of
from speech_translator.security.limits import Rate
from speech_translator.security.networks import parse_networks
from speech_translator.security.scopes import parse_scopes

router = APIRouter(tags=["accounts"])

_decoder = msgspec.json.Decoder(TokenRequest)
_PAGE_TOKENS = Rate("page-tokens", 60)
"""Tokens a minute that the page on this machine gets."""

_JWKS_MAX_AGE_S = 300


@router.post(
    "/auth/token",
    summary="Make a token",
    response_class=Response,
    response_model=None,
    openapi_extra=json_operation(
        TokenRequest,
        TokenAnswer,
        optional=True,
        failures=(400, 401, 403, 408, 413, 415, 422, 429, 503),
    ),
)
async def create_token(request: Request) -> Response:
    """A token for what the key opens, or for a part of it.

    Needs a key: a token makes no other. In development the page that this service serves gets one
    without, when it is opened on this machine.
    """
    state = state_of(request)
    settings = state.settings
    principal = None
    if credential_of(request) is not None:
        principal = (await admitted(request, endpoint="account")).principal
        principal.require_key()
    elif settings.environment != "development" or not is_own_page(
        direct_peer_of(request), request.headers, parse_networks(settings.bootstrap_networks)
    ):
        raise await state.guard.refuse(request)
    wanted = await json_of(request, _decoder, optional=True)
    scopes = None if wanted.scopes is None else parse_scopes(wanted.scopes)
    if principal is None:
        await state.guard.limit_keyless(_PAGE_TOKENS)
    accounts = await accounts_of(request)
    actor = actor_of(request, principal)
    if principal is None:
        principal = await accounts.page_holder(actor)
    if scopes is not None and not principal.may_make(principal.tier, scopes):
        raise Forbidden("The key does not open all of these scopes.")
    text = await accounts.issue_token(principal, scopes, actor)
    answer = TokenAnswer(access_token=text, expires_in=accounts.tokens.life_s)
    return no_store(answer)


@router.delete(
    "/auth/token",
    summary="Close a token",
    response_class=Response,
    response_model=None,
    status_code=204,
    openapi_extra={"responses": {"204": {"description": "Closed"}, **errors(401, 403, 503)}},
)
async def revoke_token(request: Request) -> Response:
    """Close the token that this request carries: here at once, elsewhere within 5 seconds."""
    principal = (await admitted(request, endpoint="account", confined=True)).principal
    credential = credential_of(request)
    if principal.token_id is None or credential is None:
        raise Forbidden("This closes the token that it is sent with, and a key was sent.")
    accounts = await accounts_of(request)
    await accounts.revoke_token(credential, actor_of(request, principal))
    return Response(status_code=204)


@router.get(
    "/.well-known/jwks.json",
    summary="The public keys of tokens",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({"application/json": ref(JsonWebKeys)}, failures=(503,)),
)
async def public_keys(request: Request) -> Response:
    """The keys by which tokens can be checked (RFC 7517)."""
    tokens = (await accounts_of(request)).tokens
    body = encode(msgspec.convert(await tokens.jwks(), JsonWebKeys))
    headers = {"Cache-Control": f"public, max-age={_JWKS_MAX_AGE_S}"}
    return Response(body, media_type="application/json", headers=headers)
