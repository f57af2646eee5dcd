"""Acts of administration that were refused to somebody with a valid key: in the audit log, too.

Fails open: the refusal stands where the log cannot be written, and one owner's are written down
``REFUSALS`` times a minute at most, so that nobody fills the database with them.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from speech_translator.api.dependencies import accounts_of, actor_of, state_of
from speech_translator.errors import Forbidden, SpeechTranslatorError
from speech_translator.observability import logger
from speech_translator.problems import on_error
from speech_translator.security.guard import Caller

ADMINISTRATION = ("/admin/", "/auth/api-key")
"""Beginnings of the routes whose refusals are written down."""

_log = logger(__name__)


async def on_forbidden(connection: HTTPConnection, error: Exception) -> Response:
    """Answer a ``Forbidden``, and write down who tried what."""
    route = getattr(connection.scope.get("route"), "path_format", "")
    caller = connection.scope.get("state", {}).get("caller")
    if isinstance(error, Forbidden) and caller is not None and route.startswith(ADMINISTRATION):
        await _write_down(connection, caller, f"{connection.scope['method']} {route}", error.code)
    return await on_error(connection, error)


async def _write_down(connection: HTTPConnection, caller: Caller, what: str, code: str) -> None:
    try:
        if await state_of(connection).guard.counts_refusal(caller):
            accounts = await accounts_of(connection)
            await accounts.refused(actor_of(connection, caller.principal), what, code)
    except SpeechTranslatorError as error:
        _log.warning("refusal_not_written_down", reason=error.code)
