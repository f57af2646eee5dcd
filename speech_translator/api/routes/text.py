"""``POST /translate/text``: one text, or a list of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.answers import encode, json_response, text_answer
from speech_translator.api.body import cancel_on_disconnect
from speech_translator.api.dependencies import (
    admitted,
    json_of,
    request_context,
    services_of,
    state_of,
)
from speech_translator.api.idempotency import once
from speech_translator.api.metering import reserved
from speech_translator.api.openapi import IDEMPOTENCY_PARAMETER, TIMEOUT_PARAMETER, json_operation
from speech_translator.api.parsing import checked_glossary, source_language, target_language
from speech_translator.api.schemas import TranslateTextAnswer, TranslateTextRequest
from speech_translator.errors import EmptyText, InvalidField, TextTooLong, TooManyTexts
from speech_translator.problems import request_id_of
from speech_translator.security.input_validator import check_text, sanitise_html
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import Tier, smaller
from speech_translator.settings import Settings

router = APIRouter(tags=["translation"])

TEXTS_TOGETHER = 10
"""The texts of one request may be this many times as long as the longest single text."""

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
    state, services = state_of(request), services_of(request)
    settings = state.settings
    caller = await admitted(request, Scope.TRANSLATE)
    wanted = await json_of(request, _decoder)
    context = request_context(request, settings.request_timeout_s, owner=caller.owner)
    source = source_language(wanted.source_language)
    target = target_language(wanted.target_language)
    texts = [wanted.text] if isinstance(wanted.text, str) else wanted.text
    as_list = texts is wanted.text
    characters = _check(texts, settings, caller.tier)
    glossary = checked_glossary(wanted.glossary, settings)
    async with once(request, caller, [encode(wanted)]) as attempt:
        if attempt.replayed is not None:
            return attempt.replayed
        state.metrics.text_taken(characters)
        async with reserved(
            request, state.metering, caller, "translate", characters=characters
        ) as reservation:
            translations = await cancel_on_disconnect(
                request,
                services.translator.translate(
                    await _cleaned(texts, wanted),
                    source=source,
                    target=target,
                    text_format=wanted.format,
                    glossary=glossary,
                    context=context,
                ),
            )
            answer = json_response(
                text_answer(
                    translations,
                    target=target,
                    auto=source is None,
                    as_list=as_list,
                    request_id=request_id_of(request),
                )
            )
            if not state.metering.bill_cached:
                pairs = zip(texts, translations, strict=True)
                characters -= sum(len(text) for text, found in pairs if found.cached)
            await attempt.settle(reservation, answer, characters=characters)
    return answer


async def _cleaned(texts: Sequence[str], wanted: TranslateTextRequest) -> Sequence[str]:
    """The texts, sanitised where that is wanted. Raises ``InvalidField``, ``InvalidMarkup``."""
    if not wanted.sanitize:
        return texts
    if wanted.format != "html":
        raise InvalidField("`sanitize` is for `format: html`.", field="sanitize")
    return [await sanitise_html(text) for text in texts]


def _check(texts: Sequence[str], settings: Settings, tier: Tier) -> int:
    """The number of characters, once the texts are known to be acceptable.

    Raises:
        EmptyText, TextTooLong, InvalidText: a text is none that can be translated.
        TooManyTexts: more of them than the limit.
    """
    if not texts:
        raise EmptyText("The list of texts is empty.")
    if len(texts) > settings.max_texts:
        raise TooManyTexts(
            f"A request takes up to {settings.max_texts} texts.", limit=settings.max_texts
        )
    longest = smaller(settings.max_text_chars, tier.max_text_chars)
    for text in texts:
        check_text(text, max_chars=longest)
    total, limit = sum(map(len, texts)), longest * TEXTS_TOGETHER
    if total > limit:
        raise TextTooLong(f"The texts have more than {limit} characters together.", limit=limit)
    return total
