"""Characters and seconds of sound: reserved before the work, settled after it, and written down.

What a tier may have a minute and a month is taken in one step before anything is computed, so that
many requests at once cannot take more together than one after the other. Afterwards the difference
to what was really used is given back, or taken: cached, failed and cancelled work costs nothing.
Usage is written down when it is settled, and only then; a reservation is settled once.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Protocol, Self

from speech_translator.security import key_limits
from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.counters import window_of
from speech_translator.security.guard import Caller
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Debit, Decision, Policy, Rate, Window
from speech_translator.security.rate_limiter import exceeded
from speech_translator.security.tiers import Tier
from speech_translator.security.usage_segments import UsageEntry
from speech_translator.storage.usage import Operation

CHARACTERS_MINUTE = "characters-minute"
CHARACTERS_MONTH = "characters-month"
AUDIO_MONTH = "audio-month"
"""Seconds of sound."""

_DAY_MS = 86_400_000


class Recorder(Protocol):
    """Where usage is written down; ``UsageJournal`` is one."""

    def record(self, entry: UsageEntry) -> None:
        """Count an act."""
        ...


@dataclass(frozen=True, slots=True)
class Amount:
    """What is taken: characters of text, and seconds of sound."""

    characters: int = 0
    audio_s: float = 0.0

    @property
    def whole_seconds(self) -> int:
        """As limits count sound: a begun second is one. Hundredths are rounding."""
        return math.ceil(round(self.audio_s, 2))


class Meter:
    """Takes amounts from what tiers may have, and writes down what was used.

    Args:
        store: the counters.
        recorder: takes what was used.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        store: LimitStore,
        recorder: Recorder,
        *,
        clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock

    async def reserve(
        self, caller: Caller, operation: Operation, *, characters: int = 0, audio_s: float = 0.0
    ) -> Reservation:
        """Take an amount before the work that needs it.

        Args:
            caller: who asks.
            operation: what for.
            characters: of text.
            audio_s: seconds of sound.

        Raises:
            LimitExceeded: a limit does not have as much left, or at all.
            StoreUnavailable: the counters cannot be reached.
        """
        amount = Amount(characters, audio_s)
        now = self._clock()
        debits = amount_debits(caller, amount)
        decision = await self._store.acquire(debits) if debits else Decision(())
        if not decision.allowed:
            raise exceeded(decision)
        return Reservation(self, caller, operation, amount, decision, now)

    async def standing(self, caller: Caller) -> Decision:
        """What is left of each limit on amounts; nothing is taken."""
        return await self._store.peek(
            [Debit(subject, policy, 0) for subject, policy in _allowances(caller)]
        )

    async def adjust(
        self, caller: Caller, reserved: Amount, used: Amount, reserved_at: int
    ) -> Sequence[Debit]:
        """Give back, or take, the difference; a window that is over gives nothing back.

        Returns:
            What was taken; negative costs were given back.
        """
        if reserved == used:
            return ()
        before, after, now = _costs(reserved), _costs(used), self._clock()
        changes = [
            Debit(subject, policy, after[policy.name] - before[policy.name])
            for subject, policy in _allowances(caller)
        ]
        changes = [
            change
            for change in changes
            if change.cost > 0 or (change.cost < 0 and _same(change.policy, reserved_at, now))
        ]
        if changes:
            await self._store.settle(changes)
        return changes

    def write_down(
        self, caller: Caller, operation: Operation, used: Amount, *, requests: int = 1
    ) -> None:
        """Count a request and what it used; none where it goes on, having been counted."""
        self._recorder.record(self.entry(caller, operation, used, requests=requests))

    def entry(
        self, caller: Caller, operation: Operation, used: Amount, *, requests: int = 1
    ) -> UsageEntry:
        """An act as it is written down; see ``write_down``."""
        return UsageEntry(
            day=_day_of(self._clock() // _DAY_MS),
            owner=caller.owner,
            key_id=caller.principal.key_id,
            operation=operation,
            requests=requests,
            characters=used.characters,
            audio_ms=round(used.audio_s * 1000),
        )


@dataclass(slots=True)
class Reservation:
    """An amount that was taken for work that is under way; ``decision`` says what is left.

    As a context manager it is settled in full at the end of the block, unless that was done
    inside, and given back when the block raises.
    """

    meter: Meter
    caller: Caller
    operation: Operation
    amount: Amount
    decision: Decision
    reserved_at: int
    _open: bool = field(default=True)

    async def settle(
        self,
        *,
        characters: int | None = None,
        audio_s: float | None = None,
        write: Callable[[UsageEntry], Awaitable[None]] | None = None,
    ) -> None:
        """Say what was used; what is left out was used in full. A second time does nothing.

        Args:
            characters: of text.
            audio_s: seconds of sound.
            write: writes it down, in place of the recorder; nothing is settled where it raises.
        """
        if not self._open:
            return
        used = Amount(
            self.amount.characters if characters is None else characters,
            self.amount.audio_s if audio_s is None else audio_s,
        )
        if write is not None:
            await write(self.meter.entry(self.caller, self.operation, used))
        self._open = False
        if write is None:
            self.meter.write_down(self.caller, self.operation, used)
        await self._adjust(used)

    async def cancel(self) -> None:
        """Nothing was used: all is given back, and nothing is written down."""
        if self._open:
            self._open = False
            await self._adjust(Amount())

    async def _adjust(self, used: Amount) -> None:
        changes = await self.meter.adjust(self.caller, self.amount, used, self.reserved_at)
        if changes:
            self.decision = self.decision.corrected(changes)

    async def __aenter__(self) -> Self:
        """Enter the block of the work."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Settle, or give back."""
        await (self.settle() if error is None else self.cancel())


@lru_cache(maxsize=64)
def policies_of(tier: Tier) -> tuple[Policy, ...]:
    """A tier's limits on amounts."""
    found: list[Policy] = []
    if tier.characters_per_minute is not None:
        found.append(Rate(CHARACTERS_MINUTE, tier.characters_per_minute))
    if tier.characters_per_month is not None:
        found.append(Window(CHARACTERS_MONTH, tier.characters_per_month, "month"))
    if tier.audio_minutes_per_month is not None:
        found.append(Window(AUDIO_MONTH, tier.audio_minutes_per_month * 60, "month"))
    return tuple(found)


@lru_cache(maxsize=2)
def _day_of(number: int) -> str:
    """A day by its number since 1970-01-01."""
    return datetime.fromtimestamp(number * _DAY_MS / 1000, UTC).date().isoformat()


def amount_debits(caller: Caller, amount: Amount) -> list[Debit]:
    """What an amount takes from each limit of a caller."""
    costs = _costs(amount)
    return [
        Debit(subject, policy, costs[policy.name])
        for subject, policy in _allowances(caller)
        if costs[policy.name]
    ]


def _costs(amount: Amount) -> Mapping[str, int]:
    """What an amount takes from each limit, by the limit's name."""
    characters, seconds = amount.characters, amount.whole_seconds
    return {
        CHARACTERS_MINUTE: characters,
        CHARACTERS_MONTH: characters,
        AUDIO_MONTH: seconds,
        key_limits.CHARACTERS_MONTH: characters,
        key_limits.AUDIO_MONTH: seconds,
    }


def _allowances(caller: Caller) -> list[tuple[str, Policy]]:
    """Every limit on amounts, with whose it is: the owner's, and the key's own."""
    found = [(caller.subject, policy) for policy in policies_of(caller.tier)]
    own = caller.principal.limits
    if own is not None:
        found += [(caller.principal.key_subject, policy) for policy in own.on_amounts]
    return found


def _same(policy: Policy, before_ms: int, now_ms: int) -> bool:
    """Whether both moments lie in one window of the policy."""
    if isinstance(policy, Rate):
        return True
    return window_of(before_ms * 1000, policy.span)[0] == window_of(now_ms * 1000, policy.span)[0]
