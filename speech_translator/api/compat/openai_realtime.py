"""OpenAI's realtime translation: ``WS /v1/realtime/translations``, and its client secrets.

https://developers.openai.com/api/docs/guides/realtime-translation. The session is that of
``WS /translate/stream``, told by ``realtime_line``; ``docs/LIVE.md`` says what is offered of it.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from speech_translator.api.answers import JSON_TYPE, no_store
from speech_translator.api.compat.openai_errors import OpenAIErrorAnswer, openai_response
from speech_translator.api.compat.realtime_line import RealtimeLine
from speech_translator.api.compat.realtime_schemas import (
    ClientSecretAnswer,
    ClientSecretRequest,
    RealtimeSessionRequest,
)
from speech_translator.api.compat.realtime_session import LANGUAGE, WantedSession
from speech_translator.api.dependencies import (
    accounts_of,
    admitted,
    json_of,
    services_of,
    state_of,
)
from speech_translator.api.openapi import json_operation, ref
from speech_translator.api.realtime.stream import Dialect, Words, live
from speech_translator.errors import (
    Forbidden,
    InvalidField,
    SpeechTranslatorError,
    UnsupportedPair,
    UnsupportedVoice,
)
from speech_translator.languages import Language
from speech_translator.problems import request_id_of
from speech_translator.security.guard import credential_of
from speech_translator.security.scopes import Scope
from speech_translator.streaming.config import SessionLimits

router = APIRouter(tags=["OpenAI"])

PATH = "/v1/realtime/translations"
PROTOCOL = "realtime"
"""The subprotocol that OpenAI's clients offer beside their secret."""

_FAILURES = (400, 401, 403, 408, 413, 415, 429, 503)
_AT_THE_DOOR = ("403", "503")
"""Failures that the layers around all routes may tell, too, in words of their own."""

_decoder = msgspec.json.Decoder(ClientSecretRequest)


def _operation() -> dict[str, Any]:
    found = json_operation(
        ClientSecretRequest, ClientSecretAnswer, failures=_FAILURES, scope=Scope.STREAM
    )
    for status in map(str, _FAILURES):
        failure = found["responses"][status]
        kept = failure["content"] if status in _AT_THE_DOOR else {}
        failure["content"] = {**kept, JSON_TYPE: {"schema": ref(OpenAIErrorAnswer)}}
    return found


@router.post(
    f"{PATH}/client_secrets",
    summary="Make a client secret, as OpenAI does",
    response_class=Response,
    response_model=None,
    openapi_extra=_operation(),
)
async def create_client_secret(request: Request) -> Response:
    """A short-lived secret by which somebody else's browser or device opens live sessions.

    Needs a key with the scope `stream`: a token makes no other. It is told once, ends with its key,
    and can be closed before by `DELETE /auth/token`.
    """
    try:
        return await _client_secret(request)
    except SpeechTranslatorError as error:
        return openai_response(error, request_id_of(request))


async def _client_secret(request: Request) -> Response:
    principal = (await admitted(request, Scope.STREAM, "account")).principal
    principal.require_key()
    if Scope.STREAM not in principal.scopes:
        raise Forbidden("The key opens no live sessions: it lacks the scope `stream`.")
    asked = await json_of(request, _decoder)
    wanted = WantedSession.of(asked.session)
    try:
        services_of(request).translator.check_speech(None, wanted.target)
    except UnsupportedPair as error:
        error.details["field"] = LANGUAGE
        raise
    tokens = (await accounts_of(request)).tokens
    value, ends = await tokens.issue_secret(principal, wanted.sealed(), asked.expires_after.seconds)
    session = wanted.shown(secrets.token_hex(8), ends)
    return no_store(ClientSecretAnswer(value=value, expires_at=ends, session=session))


@router.websocket(PATH)
async def realtime_translations(socket: WebSocket) -> None:
    """One live session, in OpenAI's words."""
    await live(socket, Dialect(PROTOCOL, openai_response, _words, resumable=False))


async def _words(socket: WebSocket) -> Words:
    """What puts OpenAI's words into ours, for the session that the handshake asks for.

    Raises:
        InvalidField: no model is named, or another than the client secret's.
    """
    wanted = await _wanted(socket)
    limits = SessionLimits.from_settings(state_of(socket).settings)

    def can_speak(target: Language) -> bool:
        try:
            services_of(socket).translator.check_speech(None, target, speak=True, live=True)
        except UnsupportedVoice:
            return False
        except SpeechTranslatorError:  # the session itself tells, in better words
            return True
        return True

    return lambda transport: RealtimeLine(transport, wanted, can_speak, longest_s=limits.max_s)


async def _wanted(socket: WebSocket) -> WantedSession:
    """The session of the client secret, or one with the model that the address names."""
    credential, model = credential_of(socket), socket.query_params.get("model")
    tokens = (await accounts_of(socket)).tokens if credential is not None else None
    sealed = await tokens.session_of(credential) if tokens and credential else None
    if sealed is None:
        return _named(model)
    wanted = WantedSession.unsealed(sealed)
    if model not in {None, wanted.model}:
        raise InvalidField("The client secret is for another model.", field="model")
    return wanted


def _named(model: str | None) -> WantedSession:
    """A session with nothing but a model."""
    try:
        return WantedSession.of(msgspec.convert({"model": model}, RealtimeSessionRequest))
    except msgspec.ValidationError:
        raise InvalidField(
            "Name a model in the address: ?model=..., as the client does.", field="model"
        ) from None
