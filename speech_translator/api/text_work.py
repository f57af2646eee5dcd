"""What the routes that translate text share: bounds, metering, the work, and the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.body import cancel_on_disconnect
from speech_translator.api.dependencies import request_context, services_of, state_of
from speech_translator.api.metering import reserved
from speech_translator.errors import EmptyText, TextTooLong, TooManyTexts
from speech_translator.languages import Language
from speech_translator.scalability.results import RequestContext, Translation
from speech_translator.security.guard import Caller
from speech_translator.security.input_validator import check_text
from speech_translator.security.quotas import Reservation
from speech_translator.security.tiers import Tier, smaller
from speech_translator.settings import Settings

TEXTS_TOGETHER = 10
"""The texts of one request may be this many times as long as the longest single text."""


@dataclass(frozen=True, slots=True)
class Used:
    """What was reserved for a work, and the characters that it took of that."""

    reservation: Reservation
    characters: int


Finish = Callable[[Sequence[Translation], Used], Awaitable[Response]]
"""Makes the answer of translations, and settles what was used."""


@dataclass(frozen=True, slots=True)
class TextWork:
    """Texts, checked by ``checked_length``, and what is wanted of them.

    ``source`` is None where their language is to be detected. ``sizes`` are the characters that
    each text costs, where these are not its own: markup that is sanitised costs what was sent.
    """

    texts: Sequence[str]
    source: Language | None
    target: Language
    text_format: Literal["text", "html"] = "text"
    glossary: Mapping[str, str] = field(default_factory=dict)
    sizes: Sequence[int] | None = None


async def translated(
    request: Request, caller: Caller, work: TextWork, context: RequestContext, finish: Finish
) -> Response:
    """Texts translated for a caller: their characters are taken before, and settled after.

    Args:
        request: whose client may leave, which gives the work up.
        caller: who pays.
        work: what is to be done.
        context: deadline and priority.
        finish: see there.

    Raises:
        LimitExceeded: the caller has not as many characters left.
        SpeechTranslatorError: the work failed; nothing was used then.
    """
    state = state_of(request)
    sizes = work.sizes if work.sizes is not None else [len(text) for text in work.texts]
    characters = sum(sizes)
    state.metrics.text_taken(characters)
    async with reserved(
        request, state.metering, caller, "translate", characters=characters
    ) as reservation:
        found = await cancel_on_disconnect(
            request,
            services_of(request).translator.translate(
                work.texts,
                source=work.source,
                target=work.target,
                text_format=work.text_format,
                glossary=work.glossary,
                context=context,
            ),
        )
        if not state.metering.bill_cached:
            pairs = zip(sizes, found, strict=True)
            characters -= sum(size for size, each in pairs if each.cached)
        return await finish(found, Used(reservation, characters))


def text_context(request: Request, caller: Caller) -> RequestContext:
    """Who asks for text and until when: what the header says, the tier and the service allow.

    Raises:
        InvalidField: the header is not a positive number of seconds.
    """
    longest_s, tiers_s = state_of(request).settings.request_timeout_s, caller.tier.request_seconds
    if tiers_s is not None:
        longest_s = min(longest_s, tiers_s)
    return request_context(request, longest_s, caller=caller)


def checked_length(texts: Sequence[str], settings: Settings, tier: Tier) -> None:
    """Refuse texts that cannot be translated.

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
    limit = longest * TEXTS_TOGETHER
    if sum(map(len, texts)) > limit:
        raise TextTooLong(f"The texts have more than {limit} characters together.", limit=limit)
