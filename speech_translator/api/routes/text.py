"""``POST /translate/text``: one text, or a list of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import encode, json_response, text_answer
from speech_translator.api.dependencies import admitted, json_of, state_of
from speech_translator.api.idempotency import once
from speech_translator.api.openapi import IDEMPOTENCY_PARAMETER, TIMEOUT_PARAMETER, json_operation
from speech_translator.api.parsing import checked_glossary, source_language, target_language
from speech_translator.api.schemas import TranslateTextAnswer, TranslateTextRequest
from speech_translator.api.text_work import (
    TextWork,
    Used,
    checked_length,
    text_context,
    translated,
)
from speech_translator.errors import InvalidField
from speech_translator.problems import request_id_of
from speech_translator.scalability.results import Translation
from speech_translator.security.input_validator import sanitise_html
from speech_translator.security.scopes import Scope

router = APIRouter(tags=["translation"])

_decoder = msgspec.json.Decoder(TranslateTextRequest)


@router.post(
    "/translate/text",
    summary="Translate text",
    response_class=Response,
    response_model=None,
    openapi_extra=json_operation(
        TranslateTextRequest,
        TranslateTextAnswer,
        scope=Scope.TRANSLATE,
        parameters=[TIMEOUT_PARAMETER, IDEMPOTENCY_PARAMETER],
        failures=(400, 401, 403, 408, 409, 413, 415, 422, 502, 503, 504),
    ),
)
async def translate_text(request: Request) -> Response:
    """Translate a string, or a list of up to 128 strings in one request.

    `source_language` may be `auto`; what cannot be told is a 422. With `format: html` only the
    text between the tags changes, and `<span translate="no">` is left alone; `sanitize: true`
    takes scripts, styles, handlers and the like out of it first. `glossary` maps
    source terms to the words that must stand for them. Text without any letters, such as spaces
    or emoji, comes back as it is. `X-Request-Timeout` shortens the deadline, in seconds.
    """
    settings = state_of(request).settings
    caller = await admitted(request, Scope.TRANSLATE)
    wanted = await json_of(request, _decoder)
    context = text_context(request, caller)
    source = source_language(wanted.source_language)
    target = target_language(wanted.target_language)
    texts = [wanted.text] if isinstance(wanted.text, str) else wanted.text
    as_list = texts is wanted.text
    checked_length(texts, settings, caller.tier)
    glossary = checked_glossary(wanted.glossary, settings)
    async with once(request, caller, [encode(wanted)]) as attempt:
        if attempt.replayed is not None:
            return attempt.replayed

        async def finish(found: Sequence[Translation], used: Used) -> Response:
            answer = json_response(
                text_answer(
                    found,
                    target=target,
                    auto=source is None,
                    as_list=as_list,
                    request_id=request_id_of(request),
                )
            )
            await attempt.settle(used.reservation, answer, characters=used.characters)
            return answer

        cleaned = await _cleaned(texts, wanted)
        work = TextWork(
            cleaned, source, target, wanted.format, glossary, sizes=[len(text) for text in texts]
        )
        return await translated(request, caller, work, context, finish)


async def _cleaned(texts: Sequence[str], wanted: TranslateTextRequest) -> Sequence[str]:
    """The texts, sanitised where that is wanted. Raises ``InvalidField``, ``InvalidMarkup``."""
    if not wanted.sanitize:
        return texts
    if wanted.format != "html":
        raise InvalidField("`sanitize` is for `format: html`.", field="sanitize")
    return [await sanitise_html(text) for text in texts]
