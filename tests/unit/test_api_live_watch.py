"""Who watches whether a live session may go on, when looking fails."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from speech_translator.api.realtime import stream
from speech_translator.errors import StoreUnavailable, Unauthenticated
from speech_translator.settings import Settings


async def test_a_fault_of_ours_does_not_end_the_watch(monkeypatch) -> None:
    monkeypatch.setattr(stream, "CHECK_S", 0.0)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    outcomes = [ValueError(), StoreUnavailable("away"), None, Unauthenticated("revoked")]
    closed: list[Exception] = []

    async def check(_principal: object) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    async def accounts_of(_socket: object) -> Any:
        return SimpleNamespace(check=check)

    async def close(why: Exception) -> None:
        closed.append(why)

    monkeypatch.setattr(stream, "accounts_of", accounts_of)
    caller: Any = SimpleNamespace(principal=SimpleNamespace(key_id="k1"))
    socket: Any = None
    transport: Any = SimpleNamespace(close=close)
    revoked: list[None] = []
    driver: Any = SimpleNamespace(revoke=lambda: revoked.append(None))
    await stream._end_when_revoked(socket, transport, driver, caller)
    assert len(revoked) == 1
    assert [type(why) for why in closed] == [Unauthenticated]
    assert [type(context["exception"]) for context in told] == [ValueError]


async def test_a_sessions_work_takes_of_its_callers_allowance(monkeypatch) -> None:
    asked: list[Any] = []

    class Stop(Exception):
        pass

    def driver(_transport: object, _translator: object, limits: object, **_: object) -> None:
        asked.append(limits)
        raise Stop

    monkeypatch.setattr(stream, "LiveDriver", driver)
    state: Any = SimpleNamespace(settings=Settings())
    monkeypatch.setattr(stream, "state_of", lambda _: state)
    services: Any = SimpleNamespace(translator=None, decoders=None)
    monkeypatch.setattr(stream, "services_of", lambda _: services)
    tier = SimpleNamespace(weight=3)
    caller: Any = SimpleNamespace(owner="anonymous", subject="address:192.0.2.7", tier=tier)
    nothing: Any = None
    with pytest.raises(Stop):
        await stream._serve(nothing, nothing, caller, nothing, nothing, nothing)
    assert [(limits.subject, limits.weight) for limits in asked] == [(caller.subject, 3)]
