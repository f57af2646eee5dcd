"""``POST /translate`` and ``/detect`` in LibreTranslate's shapes (https://docs.libretranslate.com).

Its clients send the key in the body, as ``api_key``. A request without a key in its headers is
therefore read before its key is known; here and nowhere else, in less time than other bodies have,
and only so many at once.
Errors are ``{"error": "..."}`` with that project's statuses: 400 for what must change and for a
missing key, 403 for a wrong one, 429 for a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, cast
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import JSON_TYPE, json_response, tag_of
from speech_translator.api.body import FORM_TYPE, BodyReader, Pace, decode_json, media_type_of
from speech_translator.api.compat.libretranslate_schemas import (
    LibreDetection,
    LibreDetectRequest,
    LibreError,
    LibreTranslateAnswer,
    LibreTranslateRequest,
)
from speech_translator.api.dependencies import admitted, state_of
from speech_translator.api.idempotency import once
from speech_translator.api.metering import reserved
from speech_translator.api.openapi import IDEMPOTENCY_PARAMETER, errors, ref
from speech_translator.api.parsing import source_language, target_language
from speech_translator.api.text_work import (
    TextWork,
    Used,
    checked_length,
    text_context,
    translated,
)
from speech_translator.errors import (
    InvalidField,
    InvalidRequest,
    SpeechTranslatorError,
    Unauthenticated,
)
from speech_translator.problems import note_error, retry_after_of, status_of
from speech_translator.scalability.results import Translation
from speech_translator.security.guard import Caller, address_block, credential_of, peer_of
from speech_translator.security.scopes import Scope
from speech_translator.text import detect_language

router = APIRouter(tags=["LibreTranslate"])

_FIELDS = msgspec.json.Decoder(dict[str, Any])
_MAX_ALTERNATIVES = 10
_FALLBACK = "en"
_REFUSED = 400
_FORBIDDEN = 403
_UNPROCESSABLE = 422

Route = Callable[[Request], Awaitable[Response]]


def _operation(body: type[msgspec.Struct], answer: dict[str, Any]) -> dict[str, Any]:
    failure = {"description": "An error", "content": {JSON_TYPE: {"schema": ref(LibreError)}}}
    kinds = (JSON_TYPE, FORM_TYPE)
    return {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": ref(body)} for kind in kinds},
        },
        "responses": {
            "200": {"description": "The answer", "content": {JSON_TYPE: {"schema": answer}}},
            **{str(status): failure for status in (400, 403, 409, 413, 415, 429, 502, 503, 504)},
            "default": errors()["default"],
        },
    }


@router.post(
    "/translate",
    summary="Translate text, as LibreTranslate does",
    response_class=Response,
    response_model=None,
    openapi_extra={
        **_operation(LibreTranslateRequest, ref(LibreTranslateAnswer)),
        "parameters": [IDEMPOTENCY_PARAMETER],
    },
)
async def libre_translate(request: Request) -> Response:
    """Translate `q`, a string or a list, from `source` (or `auto`) into `target`.

    `alternatives` are always empty: the engines here give one translation.
    """
    return await _answered(request, _translate)


@router.post(
    "/detect",
    summary="Tell a language, as LibreTranslate does",
    response_class=Response,
    response_model=None,
    openapi_extra=_operation(LibreDetectRequest, {"type": "array", "items": ref(LibreDetection)}),
)
async def libre_detect(request: Request) -> Response:
    """Tell the language of `q`, with a confidence from 0 to 100."""
    return await _answered(request, _detect)


async def _answered(request: Request, route: Route) -> Response:
    """The route's answer, or its error in LibreTranslate's shape."""
    try:
        return await route(request)
    except SpeechTranslatorError as error:
        note_error(request.scope, error)
        status = status_of(error)
        if isinstance(error, Unauthenticated):
            status = _FORBIDDEN if error.details.pop("given", False) else _REFUSED
        elif status == _UNPROCESSABLE:
            status = _REFUSED
        response = json_response(LibreError(error=error.message), status=status)
        wait = retry_after_of(error)
        if wait is not None:
            response.headers["Retry-After"] = str(wait)
        response.headers["Cache-Control"] = "no-store"
        return response


async def _translate(request: Request) -> Response:
    fields, caller = await _received(request)
    state = state_of(request)
    query = fields.get("q")
    texts = [query] if isinstance(query, str) else query
    if not texts or not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise InvalidField("Invalid request: missing q parameter", field="q")
    source = source_language(_text(fields, "source"))
    target = target_language(_text(fields, "target"))
    kind = _text(fields, "format", "text")
    if kind not in {"text", "html"}:
        raise InvalidField("This format is not supported: text or html.", field="format")
    alternatives = _alternatives(fields)
    checked_length(texts, state.settings, caller.tier)

    def answer_of(found: Sequence[Translation]) -> Response:
        whole = isinstance(query, list)
        answer: dict[str, Any] = {"translatedText": _one_or_all([t.text for t in found], whole)}
        if source is None:
            told = [_told(text, t) for text, t in zip(texts, found, strict=True)]
            answer["detectedLanguage"] = _one_or_all(told, whole)
        if alternatives:
            nothing: list[list[str]] = [[] for _ in found]
            answer["alternatives"] = _one_or_all(nothing, whole)
        return json_response(answer)

    work = TextWork(texts, source, target, cast("Literal['text', 'html']", kind))
    context = text_context(request, caller)
    named = {name: value for name, value in sorted(fields.items()) if name != "api_key"}
    async with once(request, caller, [msgspec.json.encode(named)]) as attempt:
        if attempt.replayed is not None:
            return attempt.replayed

        async def finish(found: Sequence[Translation], used: Used) -> Response:
            answer = answer_of(found)
            await attempt.settle(used.reservation, answer, characters=used.characters)
            return answer

        return await translated(request, caller, work, context, finish)


async def _detect(request: Request) -> Response:
    fields, caller = await _received(request)
    query = _text(fields, "q")
    checked_length([query], state_of(request).settings, caller.tier)
    async with reserved(request, state_of(request).metering, caller, "translate"):
        found = await asyncio.to_thread(detect_language, query)
    if found.language is None:
        return json_response([LibreDetection(confidence=0.0, language=_FALLBACK)])
    confidence = round(100 * found.confidence, 1)
    return json_response([LibreDetection(confidence=confidence, language=found.language.tag)])


async def _received(request: Request) -> tuple[Mapping[str, Any], Caller]:
    """The fields, and who asks by a key in the headers or among them."""
    state = state_of(request)
    idle_s = state.settings.body_timeout_s
    if credential_of(request) is not None:
        caller = await _let_in(request, None)
        return await _fields(request, Pace(idle_s, state.settings.request_timeout_s)), caller
    with state.keyless.place(address_block(peer_of(request))):
        fields = await _fields(request, Pace(idle_s, idle_s))
    key = fields.get("api_key")
    return fields, await _let_in(request, key if isinstance(key, str) and key else None)


async def _let_in(request: Request, key: str | None) -> Caller:
    try:
        return await admitted(request, Scope.TRANSLATE, credential=key)
    except Unauthenticated as error:
        error.details["given"] = key is not None or credential_of(request) is not None
        raise


async def _fields(request: Request, pace: Pace) -> Mapping[str, Any]:
    """What was sent as JSON, or as a form."""
    reader = BodyReader(request, limit=state_of(request).settings.max_body_bytes, pace=pace)
    data = await reader.whole()
    if media_type_of(request.headers) != FORM_TYPE or data.lstrip()[:1] == b"{":
        return decode_json(data, _FIELDS)
    try:
        sent = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise InvalidRequest("The form cannot be read.") from None
    return {name: values[0] for name, values in sent.items()}


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    found = fields.get(name) or default
    if not isinstance(found, str) or not found:
        raise InvalidField(f"Invalid request: missing {name} parameter", field=name)
    return found


def _alternatives(fields: Mapping[str, Any]) -> int:
    given = str(fields.get("alternatives") or "0")
    if not (given.isascii() and given.isdigit()) or int(given[:3]) > _MAX_ALTERNATIVES:
        raise InvalidField(
            f"Invalid request: alternatives must be a number up to {_MAX_ALTERNATIVES}",
            field="alternatives",
        )
    return int(given[:3])


def _told(text: str, found: Translation) -> dict[str, object]:
    """What language a text was in, and how sure that is."""
    if found.detected_language is None:
        return {"confidence": 0.0, "language": _FALLBACK}
    confidence = round(100 * detect_language(text).confidence, 1)
    return {"confidence": confidence, "language": tag_of(found.detected_language)}


def _one_or_all(values: Sequence[Any], whole: bool) -> Any:  # noqa: FBT001 - one of two shapes
    return list(values) if whole else values[0]
