"""``GET /admin/audit``: who did what; ``/admin/users/{id}``: all of a user, given and erased."""

from __future__ import annotations

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.account_schemas import (
    AuditAnswer,
    AuditEntryAnswer,
    ErasureAnswer,
    UserExport,
)
from speech_translator.api.answers import no_store
from speech_translator.api.dependencies import accounts_of, actor_of, admitted, state_of
from speech_translator.api.openapi import errors, gives, query_parameter, ref
from speech_translator.api.parsing import whole_number
from speech_translator.errors import InvalidField, NotFound
from speech_translator.security.owners import PRINTABLE, is_printable
from speech_translator.security.scopes import Principal, Scope
from speech_translator.storage.audit import MAX_PAGE

router = APIRouter(tags=["accounts"])

_MAX_NAME = 160
_NAME = {"type": "string", "minLength": 1, "maxLength": _MAX_NAME, "pattern": PRINTABLE}
_AUDIT_PARAMETERS = [
    query_parameter(
        "before",
        "The `next` of the page before.",
        {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    ),
    query_parameter("subject", "Only acts on this: `key:<id>` or `user:<id>`.", _NAME),
    query_parameter("actor", "Only acts by this owner.", _NAME),
    query_parameter(
        "limit",
        "Entries in the page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 100},
    ),
]
_USER_ID = {
    "name": "user_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": "The `user_id` of keys.",
}


@router.get(
    "/admin/audit",
    summary="The audit log",
    response_class=Response,
    response_model=None,
    openapi_extra={
        "parameters": _AUDIT_PARAMETERS,
        **gives({"application/json": ref(AuditAnswer)}, failures=(401, 403, 422, 429, 503)),
    },
)
async def audit_log(request: Request) -> Response:
    """Who did what, when and from where, the newest first; needs the scope `admin`.

    Whatever changes keys, tokens or users is in it, and what was refused to somebody with a valid
    key; texts and secrets never are.
    """
    await admitted(request, Scope.ADMIN, "account")
    asked = request.query_params
    limit = whole_number(asked, "limit")
    if limit is not None and not 1 <= limit <= MAX_PAGE:
        raise InvalidField(f"`limit` must be from 1 to {MAX_PAGE}.", field="limit")
    accounts = await accounts_of(request)
    found = await accounts.audit.page(
        before=whole_number(asked, "before"),
        subject=_name(request, "subject"),
        actor=_name(request, "actor"),
        limit=limit or 100,
    )
    entries = [
        AuditEntryAnswer(
            id=entry.id or 0,
            at=entry.at / 1000,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            outcome=entry.outcome,
            address=entry.address,
            request_id=entry.request_id,
        )
        for entry in found
    ]
    return no_store(AuditAnswer(entries=entries, next=entries[-1].id if entries else None))


@router.get(
    "/admin/users/{user_id:path}/export",  # noqa: FAST003 - as below
    summary="All that is kept of a user",
    response_class=Response,
    response_model=None,
    openapi_extra={
        "parameters": [_USER_ID],
        **gives({"application/json": ref(UserExport)}, failures=(401, 403, 404, 429, 503)),
    },
)
async def export_user(request: Request) -> Response:
    """Hand over what there is of a user, without secrets; needs the scope `admin`.

    Keys without their digests, usage, requests that are done once without their answers, and the
    entries of the audit log by and about the user. Who else acted, and from where, is left out: it
    is not the user's.
    """
    principal = await _administrator(request)
    user_id = _user_id(request)
    await state_of(request).metering.journal.flush()
    accounts = await accounts_of(request)
    found = await accounts.export_user(user_id, actor_of(request, principal))
    return no_store(UserExport(user_id=user_id, exported_at=round(time.time(), 3), data=found))


@router.delete(
    "/admin/users/{user_id:path}",  # noqa: FAST003 - declared, the document would promise its own 422
    summary="Erase a user",
    response_class=Response,
    response_model=None,
    openapi_extra={
        "parameters": [_USER_ID],
        "responses": {
            **gives({"application/json": ref(ErasureAnswer)})["responses"],
            **errors(401, 403, 404, 429, 503),
        },
    },
)
async def erase_user(request: Request) -> Response:
    """Forget a user; needs the scope `admin`.

    Their keys and tokens open nothing from now on, here at once and on other replicas within 5
    seconds, and what was kept of them is deleted. In the audit log a pseudonym, which the answer
    names, takes their place. What was under way is erased half a minute later.
    """
    principal = await _administrator(request)
    user_id, metering = _user_id(request), state_of(request).metering
    await metering.journal.flush()
    accounts = await accounts_of(request)
    done = await accounts.erase_user(user_id, actor_of(request, principal))
    await metering.forget(user_id)
    return no_store(ErasureAnswer(pseudonym=done.pseudonym, erased=done.erased))


async def _administrator(request: Request) -> Principal:
    principal = (await admitted(request, Scope.ADMIN, "account")).principal
    principal.require_key()
    return principal


def _user_id(request: Request) -> str:
    user_id: str = request.path_params["user_id"]
    if not is_printable(user_id):
        raise NotFound("Nothing is kept of such a user.")
    return user_id


def _name(request: Request, field: str) -> str | None:
    text = request.query_params.get(field)
    if text is not None and not (0 < len(text) <= _MAX_NAME and is_printable(text)):
        raise InvalidField(f"`{field}` is no name that there can be.", field=field)
    return text
