"""``GET /usage``: what an owner used, and has left; ``GET /admin/usage``: what everybody used."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from functools import partial
from typing import Any, cast, get_args

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from speech_translator.api.account_schemas import (
    KeyUsage,
    LimitStanding,
    UsageAnswer,
    UsageLineAnswer,
    UsageReport,
    UsedAnswer,
)
from speech_translator.api.answers import no_store
from speech_translator.api.dependencies import admitted, state_of
from speech_translator.api.openapi import gives, query_parameter, ref
from speech_translator.api.parsing import choice
from speech_translator.errors import InvalidField
from speech_translator.security.limits import Decision
from speech_translator.security.owners import MAX_CHARS, PRINTABLE, is_printable
from speech_translator.security.scopes import Scope
from speech_translator.storage.usage import Period, Totals, UsageLine

router = APIRouter(tags=["accounts"])

_FORMATS = ("json", "csv")
_GROUPS = ("owner", "key")
_COLUMNS = ("period", "user_id", "key_id", "operation", "requests", "characters", "audio_seconds")
_decoder = msgspec.json.Decoder(tuple[str, str, str, str])

PAGE_LINES = 1000
"""Lines in one page of a report."""

_RISKY = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula (OWASP, CSV injection)."""


_DAY = {"type": "string", "format": "date"}
_REPORT_PARAMETERS = [
    query_parameter("from", "First day; the first of this month by default.", _DAY),
    query_parameter("to", "Last day, included; today by default.", _DAY),
    query_parameter(
        "period",
        "What a line is about.",
        {"type": "string", "enum": ["day", "month"], "default": "month"},
    ),
    query_parameter(
        "group", "Whose a line is.", {"type": "string", "enum": list(_GROUPS), "default": "owner"}
    ),
    query_parameter(
        "user_id",
        "Only this owner's.",
        {"type": "string", "maxLength": MAX_CHARS, "pattern": PRINTABLE},
    ),
    query_parameter("after", "The `next` of the page before.", {"type": "string"}),
    query_parameter(
        "format",
        "How it is written.",
        {"type": "string", "enum": list(_FORMATS), "default": "json"},
    ),
]


@router.get(
    "/usage",
    summary="What was used, and what is left",
    response_class=Response,
    response_model=None,
    openapi_extra=gives({"application/json": ref(UsageAnswer)}, failures=(401, 429, 503)),
)
async def usage(request: Request) -> Response:
    """Requests, characters and seconds of sound of this UTC day and month, and each limit.

    A request counts once it was answered; what was cached, failed or cancelled costs no characters
    and no sound.
    """
    caller = await admitted(request, endpoint="account")
    state = state_of(request)
    book = state.metering.book
    keys = await book.by_key("month", caller.owner)
    requests = await state.guard.standing(caller)
    amounts = await state.metering.meter.standing(caller)
    return no_store(
        UsageAnswer(
            user_id=caller.owner,
            tier=str(caller.tier.name),
            day=UsedAnswer(**_amounts(await book.used("day", owner=caller.owner))),
            month=UsedAnswer(**_amounts(await book.used("month", owner=caller.owner))),
            keys=[KeyUsage(key_id=key, **_amounts(used)) for key, used in sorted(keys.items())],
            limits=_limits(requests, amounts),
        )
    )


@router.get(
    "/admin/usage",
    summary="What everybody used",
    response_class=Response,
    response_model=None,
    openapi_extra={
        "parameters": _REPORT_PARAMETERS,
        **gives(
            {"application/json": ref(UsageReport), "text/csv": {"type": "string"}},
            failures=(401, 403, 422, 429, 503),
        ),
    },
)
async def usage_report(request: Request) -> Response:
    """Usage by day or month and by owner or key, for bills; needs the scope `admin`.

    JSON comes in pages: `after` is the `next` of the page before. CSV comes whole.
    """
    await admitted(request, Scope.ADMIN, "account")
    state = state_of(request)
    asked = request.query_params
    month, today = state.metering.book.bounds("month")[0], state.metering.book.bounds("day")[1]
    first, last = _day(asked.get("from"), "from", month), _day(asked.get("to"), "to", today)
    if first > last:
        raise InvalidField("`from` must not be after `to`.", field="from")
    owner = asked.get("user_id")
    if owner is not None and not (len(owner) <= MAX_CHARS and is_printable(owner)):
        raise InvalidField("`user_id` is no name that there can be.", field="user_id")
    shape = choice(asked, "format", _FORMATS, "json")
    store = await state.accounts.usage()
    page = partial(
        store.report,
        first=first,
        last=last,
        period=cast("Period", choice(asked, "period", get_args(Period), "month")),
        by_key=choice(asked, "group", _GROUPS, "owner") == "key",
        owner=owner,
        limit=PAGE_LINES,
    )
    found = await page(after=_place(asked.get("after")))
    if shape == "json":
        following = _named(found[-1]) if len(found) == PAGE_LINES else None
        lines = [_answer(line) for line in found]
        return no_store(UsageReport(first_day=first, last_day=last, lines=lines, next=following))
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="usage_{first}_{last}.csv"',
    }
    return StreamingResponse(_pages(page, found), media_type="text/csv", headers=headers)


async def _pages(
    page: Callable[..., Awaitable[list[UsageLine]]], found: list[UsageLine]
) -> AsyncIterator[str]:
    """A report as CSV, from its first page on."""
    yield as_csv([_answer(line) for line in found])
    while len(found) == PAGE_LINES:
        found = await page(after=found[-1])
        yield as_csv([_answer(line) for line in found], head=False)


def as_csv(lines: Sequence[UsageLineAnswer], *, head: bool = True) -> str:
    """Lines as CSV (RFC 4180); a cell that a spreadsheet would compute is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    if head:
        writer.writerow(_COLUMNS)
    for line in lines:
        values = msgspec.structs.asdict(line)
        writer.writerow([_cell(values[name]) for name in _COLUMNS])
    return out.getvalue()


def _answer(line: UsageLine) -> UsageLineAnswer:
    return UsageLineAnswer(
        period=line.period,
        user_id=line.owner,
        key_id=line.key_id,
        operation=line.operation,
        **_amounts(line.used),
    )


def _named(line: UsageLine) -> str:
    """A line's place in a report, for the client to give back."""
    place = (line.period, line.owner, line.key_id, line.operation)
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _place(name: str | None) -> UsageLine | None:
    if name is None:
        return None
    wrong = InvalidField("`after` must be the `next` of a page.", field="after")
    try:
        place = _decoder.decode(base64.b64decode(name.encode(), b"-_", validate=True))
    except ValueError:  # of base64, of UTF-8 and of msgspec
        raise wrong from None
    if not all(map(is_printable, place)):
        raise wrong
    return UsageLine(*place, Totals())


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_RISKY) else value


def _day(text: str | None, field: str, default: str) -> str:
    if text is None:
        return default
    wrong = InvalidField(f"`{field}` must be a day, such as 2026-11-28.", field=field)
    try:
        day = date.fromisoformat(text).isoformat()
    except ValueError:
        raise wrong from None
    if day != text:  # ISO 8601 has other forms, which RFC 3339 has not
        raise wrong
    return day


def _amounts(used: Totals) -> dict[str, Any]:
    return {
        "requests": used.requests,
        "characters": used.characters,
        "audio_seconds": used.audio_ms / 1000,
    }


def _limits(*decisions: Decision) -> list[LimitStanding]:
    return [
        LimitStanding(
            name=one.policy.name,
            limit=one.policy.limit,
            remaining=one.remaining,
            reset_after=round(one.reset_after_s, 3),
        )
        for decision in decisions
        for one in decision.standings
    ]
