"""Who may operate the service: administrators, and in development whoever sits at its machine."""

from __future__ import annotations

from starlette.requests import Request

from speech_translator.api.body import check_declared
from speech_translator.api.dependencies import accounts_of, actor_of, admitted, state_of
from speech_translator.observability import logger
from speech_translator.security.bootstrap import is_local_operator
from speech_translator.security.forwarding import direct_peer_of
from speech_translator.security.guard import credential_of
from speech_translator.security.limits import Rate
from speech_translator.security.networks import parse_networks
from speech_translator.security.scopes import Principal, Scope

KEYLESS = Rate("keyless-operations", 10)
"""Acts a minute that are done without a key."""

_log = logger(__name__)


def is_operators(request: Request) -> bool:
    """Whether a request without a key is one that development takes from this machine."""
    settings = state_of(request).settings
    return settings.environment == "development" and is_local_operator(
        direct_peer_of(request), request.headers, parse_networks(settings.bootstrap_networks)
    )


async def operator_of(request: Request) -> Principal | None:
    """Who operates: a key or token with the scope ``admin``, or None, at this machine.

    Raises:
        Unauthenticated, Forbidden, LimitExceeded: it is not for them, or not as often.
        StoreUnavailable: that cannot be looked up.
    """
    state = state_of(request)
    if credential_of(request) is not None:
        return (await admitted(request, Scope.ADMIN, "account")).principal
    check_declared(request.headers, state.settings.max_body_bytes)
    if not is_operators(request):
        raise await state.guard.refuse(request)
    await state.guard.limit_keyless(KEYLESS)
    return None


async def note_operation(
    request: Request, operator: Principal | None, action: str, subject: str
) -> None:
    """Write down what an operator is about to do; what cannot be is not done (fails closed).

    Args:
        request: says from where.
        operator: as ``operator_of``.
        action: what is done.
        subject: on what.

    Raises:
        StoreUnavailable: it cannot be written down.
    """
    await (await accounts_of(request)).noted(action, subject, actor_of(request, operator))
    write = _log.info if operator is not None else _log.warning
    write("operated", action=action, subject=subject, keyless=operator is None)
