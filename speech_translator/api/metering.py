"""Usage behind the API: taken before the work, settled after it, and told in the headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from speech_translator.api.accounts import AccountsDoor
from speech_translator.errors import LimitExceeded, Overloaded, StoreUnavailable
from speech_translator.observability import Metrics, logger
from speech_translator.security import metering
from speech_translator.security.audio_tab import AudioTab
from speech_translator.security.guard import Caller
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Decision
from speech_translator.security.quotas import Reservation
from speech_translator.security.usage_journal import JournalEvent
from speech_translator.settings import Settings
from speech_translator.storage.usage import Operation

if TYPE_CHECKING:
    from speech_translator.api.dependencies import ApiState

_log = logger(__name__)


class Metering(metering.Metering):
    """The parts of metering, over the settings.

    Args:
        settings: the configuration.
        accounts: opens the database.
        store: counts limits.
        metrics: where what goes wrong is counted.
    """

    def __init__(
        self, settings: Settings, accounts: AccountsDoor, store: LimitStore, metrics: Metrics
    ) -> None:
        super().__init__(
            settings.data_dir / "usage",
            accounts.usage,
            store,
            on_event=self._tell,
            on_unknown=metrics.usage_unknown,
        )
        self._metrics = metrics
        self._failing: set[JournalEvent] = set()
        self.bill_cached = settings.bill_cached

    def _tell(self, event: JournalEvent) -> None:
        self._metrics.usage_event(event)
        if event == "applied":
            if self._failing:
                _log.info("usage_journal_recovered")
            self._failing.clear()
        elif event not in self._failing:
            self._failing.add(event)
            _log.warning("usage_journal_failing", what=event)


@asynccontextmanager
async def reserved(
    connection: HTTPConnection,
    metering: Metering,
    caller: Caller,
    operation: Operation,
    *,
    characters: int = 0,
    audio_s: float = 0.0,
) -> AsyncIterator[Reservation]:
    """An amount taken for the work in the block; settled in full, or as is said inside.

    What is left of the limits goes into the answer's headers.

    Raises:
        LimitExceeded: a limit does not have as much left. The request is given back.
        Overloaded: of the work, which had no place; the request is given back, too.
    """
    try:
        reservation = await metering.meter.reserve(
            caller, operation, characters=characters, audio_s=audio_s
        )
    except LimitExceeded:
        await _refused(connection, metering, caller)
        raise
    door, taken = connection.scope["state"]["limits"], reservation.decision
    _show(connection, taken)
    try:
        try:
            async with reservation:
                yield reservation
        finally:
            if reservation.decision is not taken:
                connection.scope["state"]["limits"] = door
                _show(connection, reservation.decision)
    except Overloaded:
        with suppress(StoreUnavailable):  # who is refused for want of room is told that
            await _refused(connection, metering, caller)
        raise


@asynccontextmanager
async def live_audio(
    connection: HTTPConnection, metering: Metering, caller: Caller
) -> AsyncIterator[AudioTab]:
    """The sound of a live session: taken while it comes, and settled at the end of the block.

    Raises:
        LimitExceeded: none is left. The request is given back.
    """
    tab = AudioTab(metering.meter, caller)
    try:
        await tab.open()
    except LimitExceeded:
        await _refused(connection, metering, caller)
        raise
    try:
        _show(connection, tab.decision)
        yield tab
    finally:
        await tab.close()


async def _refused(connection: HTTPConnection, metering: Metering, caller: Caller) -> None:
    """Refused after the door: that costs no request, and the headers say what is left."""
    state: ApiState = connection.app.state.api
    await state.guard.give_back(connection, caller)
    _show(connection, await metering.meter.standing(caller))


def _show(connection: HTTPConnection, amounts: Decision) -> None:
    """Put what is left of amounts into the answer's headers, beside what is of requests."""
    state = connection.scope["state"]
    door: Decision = state["limits"]
    state["limits"] = replace(door, standings=door.standings + amounts.standings)
