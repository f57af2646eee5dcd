"""Limits of a key of its own, below those of its owner's tier.

Both hold: a request takes from the owner's allowance and from the key's in one step, so that a
key's limits never raise what the tier allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from speech_translator.errors import InvalidField
from speech_translator.security.limits import Policy, Rate, Window

PREFIX = "key-"
"""Before the name of a policy of a key: callers are told apart what was in the way."""

REQUESTS_MINUTE = f"{PREFIX}requests-minute"
REQUESTS_DAY = f"{PREFIX}requests-day"
CHARACTERS_MONTH = f"{PREFIX}characters-month"
AUDIO_MONTH = f"{PREFIX}audio-month"

LARGEST: Mapping[str, int] = {
    "requests_per_minute": 1_000_000,
    "requests_per_day": 1_000_000_000,
    "characters_per_month": 1_000_000_000_000,
    "audio_minutes_per_month": 1_000_000_000,
}
"""The most that each may say; a key without limits is bounded by its owner's tier alone."""


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key may take; None is as much as its owner may."""

    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    characters_per_month: int | None = None
    audio_minutes_per_month: int | None = None

    @property
    def values(self) -> dict[str, int]:
        """Those that are set, by name."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in found if value is not None}

    @property
    def on_requests(self) -> Sequence[Policy]:
        """What is asked at the door."""
        found: list[Policy] = []
        if self.requests_per_minute is not None:
            found.append(Rate(REQUESTS_MINUTE, self.requests_per_minute))
        if self.requests_per_day is not None:
            found.append(Window(REQUESTS_DAY, self.requests_per_day))
        return found

    @property
    def on_amounts(self) -> Sequence[Policy]:
        """What is reserved before the work; sound in seconds."""
        found: list[Policy] = []
        if self.characters_per_month is not None:
            found.append(Window(CHARACTERS_MONTH, self.characters_per_month, "month"))
        if self.audio_minutes_per_month is not None:
            found.append(Window(AUDIO_MONTH, self.audio_minutes_per_month * 60, "month"))
        return found


def parse_limits(values: Mapping[str, int]) -> KeyLimits | None:
    """Limits by name; None where there are none.

    Raises:
        InvalidField: a name that is none, or a value outside of what it may be. The message says
            which.
    """
    for name, value in values.items():
        most = LARGEST.get(name)
        if most is None:
            raise InvalidField(f"Limits of a key are {', '.join(LARGEST)}.", field="limits")
        if not 1 <= value <= most:
            raise InvalidField(f"`{name}` must be from 1 to {most}.", field="limits")
    return KeyLimits(**values) if values else None
