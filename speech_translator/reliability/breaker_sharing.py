"""Breakers of several processes as one, kept by Redis; each goes on alone while that is away.

Sans-I/O but for ``Sharing.run`` and ``run_sync``, which send one step and read one answer. Which
client of Redis that is matters to nobody here: it is given as a function from keys and arguments
to what the script answers, such as redis-py's ``client.register_script(SCRIPT)``.

Nobody is refused because Redis is down, and hardly anybody waits for it twice: the first call that
it fails ends the asking, and from then on one call after each pause looks whether it is back.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from speech_translator.errors import ConfigurationError
from speech_translator.reliability.breaker_machine import (
    BreakerConfig,
    BreakerState,
    Permit,
    Reason,
    Shared,
)
from speech_translator.reliability.breaker_window import Counts, Outcome
from speech_translator.reliability.deadlines import Clock

SCRIPT = Path(__file__).with_name("breaker.lua").read_text(encoding="utf-8")

Argument = str | int | float
Mode = Literal["acquire", "settle", "release", "reset", "trip", "relent"]

logger = logging.getLogger(__name__)


class Script(Protocol):
    """``SCRIPT`` on Redis, for async code."""

    def __call__(self, keys: Sequence[str], args: Sequence[Argument], /) -> Awaitable[Any]:
        """Its answer. Whatever is raised says that Redis cannot be asked."""
        ...


class SyncScript(Protocol):
    """``SCRIPT`` on Redis, for threads."""

    def __call__(self, keys: Sequence[str], args: Sequence[Argument], /) -> Any:
        """Its answer. Whatever is raised says that Redis cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one breaker; ``number`` grows with each that is made."""

    key: str
    arguments: Sequence[Argument]
    number: int
    lease: str = ""


@dataclass(frozen=True, slots=True)
class SharingConfig:
    """How breakers are shared.

    Args:
        prefix: before the name of each.
        first_pause_s: seconds after a failure in which Redis is not looked for; it doubles with
            each look that fails.
        longest_pause_s: where that ends.
    """

    prefix: str = "speech-translator:breaker:"
    first_pause_s: float = 1.0
    longest_pause_s: float = 15.0


def _ignore(_reason: str | None) -> None:
    """The listener for those who do not listen."""


@dataclass(slots=True)
class Sharing:
    """The way to what processes share; one for all breakers of a process.

    Args:
        script: for async code; None where there is none.
        sync_script: for threads; None where there are none.
        config: see there.
        listener: told the name of the error when Redis is lost, and None when it is back.
        clock: monotonic seconds.
    """

    script: Script | None = None
    sync_script: SyncScript | None = None
    config: SharingConfig = field(default_factory=SharingConfig)
    listener: Callable[[str | None], None] = _ignore
    clock: Clock = time.monotonic
    _lost: bool = False
    _pause_s: float = 0.0
    _look_at: float = 0.0
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def ready(self) -> bool:
        """Whether to ask Redis now. After a pause, one caller is told to look."""
        if not self._lost:
            return True
        now = self.clock()
        if now < self._look_at:
            return False
        self._look_at = now + self._pause_s
        return True

    def step(
        self,
        name: str,
        config: BreakerConfig,
        mode: Mode,
        permit: Permit | None = None,
        outcome: Outcome = "ignored",
        *,
        slow: bool = False,
        lease: str = "",
    ) -> Step:
        """A step of the breaker ``name``."""
        held = lease or (permit.lease if permit else None) or ""
        generation = permit.generation if permit else 0
        arguments = [mode, held, generation, outcome, int(slow), *_told(config)]
        return Step(self.config.prefix + name, arguments, next(self._numbers), held)

    async def run(self, step: Step) -> Shared | None:
        """What Redis answers; None where it does not, so that the caller goes on alone.

        Raises:
            ConfigurationError: there is no script for async code.
        """
        if self.script is None:
            raise ConfigurationError("These breakers are shared by threads alone: give a script.")
        try:
            return self._answered(step, await self.script([step.key], step.arguments))
        except Exception as error:  # noqa: BLE001 # any failure of any client is the same to us
            self._failed(error)
            return None

    def run_sync(self, step: Step) -> Shared | None:
        """See ``run``; for threads."""
        if self.sync_script is None:
            raise ConfigurationError(
                "These breakers are shared by async code alone: give a script."
            )
        try:
            return self._answered(step, self.sync_script([step.key], step.arguments))
        except Exception as error:  # noqa: BLE001 # any failure of any client is the same to us
            self._failed(error)
            return None

    def _answered(self, step: Step, answer: Any) -> Shared:
        shared = _read(step, answer)
        if self._lost:
            self._lost = False
            self._tell(None)
        return shared

    def _failed(self, error: Exception) -> None:
        config = self.config
        grown = min(2 * self._pause_s, config.longest_pause_s) if self._lost else 0.0
        self._pause_s = max(config.first_pause_s, grown)
        self._look_at = self.clock() + self._pause_s
        if not self._lost:
            self._lost = True
            self._tell(type(error.__cause__ or error).__name__)

    def _tell(self, reason: str | None) -> None:
        if reason is None:
            logger.info("Circuit breakers are shared again")
        else:
            logger.warning("Circuit breakers are not shared for a while: %s", reason)
        try:
            self.listener(reason)
        except Exception:
            logger.exception("The listener of shared breakers failed")


def _told(config: BreakerConfig) -> tuple[Argument, ...]:
    """A configuration as the script takes it."""
    return (
        config.consecutive_failures,
        2.0 if config.failure_rate is None else config.failure_rate,
        round(config.window_s * 1000),
        config.minimum_calls,
        config.slow_call_rate,
        round(config.open_s * 1000),
        config.probes,
        config.probe_successes,
        round(config.probe_ttl_s * 1000),
    )


def _read(step: Step, answer: Any) -> Shared:
    granted, state, generation, reason, wait_ms, age_ms, streak, opens, *counts = answer
    return Shared(
        number=step.number,
        granted=bool(granted),
        state=cast("BreakerState", _text(state)),
        generation=int(generation),
        reason=cast("Reason", _text(reason)),
        wait_s=None if int(wait_ms) < 0 else int(wait_ms) / 1000,
        age_s=max(0.0, int(age_ms) / 1000),
        streak=int(streak),
        opens=int(opens),
        counts=Counts(*map(int, counts)),
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
