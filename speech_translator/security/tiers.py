"""What a tier may take: the table of ``tiers.toml``, and a file of the operator's over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from speech_translator.errors import ConfigurationError

UNLIMITED = "unlimited"

LOWEST_PRIORITY = 3
"""Of the tiers that are built in; a larger number gets no smaller share."""

_BUILT_IN = Path(__file__).with_name("tiers.toml")


class TierName(StrEnum):
    """The tiers, from the smallest to the one that nothing limits."""

    FREE = "free"
    BASIC = "basic"
    PRO = "pro"
    ENTERPRISE = "enterprise"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Tier:
    """The limits of a tier; None is unlimited. ``tiers.toml`` says what each counts."""

    name: TierName
    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    characters_per_minute: int | None = None
    characters_per_month: int | None = None
    audio_minutes_per_month: int | None = None
    live_sessions: int | None = None
    max_text_chars: int | None = None
    max_file_mb: int | None = None
    request_seconds: int | None = None
    priority: int = 3

    @property
    def weight(self) -> int:
        """The share of the engines beside others who want them: twice that of the next priority."""
        return 1 << max(0, LOWEST_PRIORITY - self.priority)


Tiers = Mapping[TierName, Tier]

_LIMITS = frozenset(field.name for field in fields(Tier)) - {"name"}


def smaller(setting: int, limit: int | None) -> int:
    """The stricter of what the service takes at all and what a tier may send."""
    return setting if limit is None else min(setting, limit)


def file_bytes(tier: Tier) -> int | None:
    """The largest upload of a tier, in bytes."""
    return None if tier.max_file_mb is None else tier.max_file_mb * 1024 * 1024


def load_tiers(path: Path | None = None) -> Tiers:
    """Every tier, by name.

    Args:
        path: a TOML file whose values stand over the built-in ones.

    Raises:
        ConfigurationError: the file cannot be read, or names what is no tier or no limit, or a
            value is no whole number from 0. The message says which.
    """
    tables = _read(_BUILT_IN)
    if path is not None:
        for name, changes in _read(path).items():
            if name not in tables:
                raise ConfigurationError(
                    f"{path.name}: there is no tier {name!r}. Tiers: {', '.join(tables)}."
                )
            tables[name] = {**tables[name], **changes}
    tiers = {TierName(name): Tier(TierName(name), **limits) for name, limits in tables.items()}
    return MappingProxyType(tiers)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The tables of a file, each value looked at."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name} is no TOML: {error}.") from error
    for name, limits in tables.items():
        if not isinstance(limits, dict):
            raise ConfigurationError(f"{path.name}: {name!r} must be a table: [{name}].")
        for limit, value in limits.items():
            if limit not in _LIMITS:
                known = ", ".join(sorted(_LIMITS))
                raise ConfigurationError(
                    f"{path.name}: [{name}] has no limit {limit!r}. Limits: {known}."
                )
            if value == UNLIMITED and limit != "priority":
                limits[limit] = None
            elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ConfigurationError(
                    f"{path.name}: {limit} of [{name}] must be a whole number, 0 or more, "
                    f'or "{UNLIMITED}".'
                )
    return tables
