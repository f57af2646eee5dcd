"""Whether a store that all replicas share is asked, or this one goes on alone for a while. Pure.

Nobody is refused because Redis is down, and nobody waits for it twice: the first call that it fails
ends the asking. From then on it is looked for beside the requests, which go on alone meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar

from speech_translator.errors import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

SharedPart = Literal["limits", "live_sessions", "revocations"]
"""What replicas share."""


@dataclass(frozen=True, slots=True)
class FallbackConfig:
    """How to do without the shared store.

    Args:
        replicas: that share a limit: alone, each allows so large a part of it.
        pause_s: seconds after a failure in which the shared store is not looked for.
        max_calls: of the shared store at the same time; more callers wait their turn here, where
            they see that it was lost meanwhile.
    """

    replicas: int = 1
    pause_s: float = 1.0
    max_calls: int = 32

    def share(self, limit: int) -> int:
        """A replica's part of a limit, rounded up."""
        return math.ceil(limit / self.replicas)


@dataclass(frozen=True, slots=True)
class SharedLost:
    """The shared store does not answer; ``reason`` is the name of the error."""

    part: SharedPart
    reason: str


@dataclass(frozen=True, slots=True)
class SharedBack:
    """The shared store answers again."""

    part: SharedPart


@dataclass(frozen=True, slots=True)
class DoneAlone:
    """One replica decided or did something that the others do not know of."""

    part: SharedPart


SharedEvent = SharedLost | SharedBack | DoneAlone
Listener = Callable[[SharedEvent], None]


def ignore(_event: SharedEvent) -> None:
    """The listener for those who do not listen."""


def reason_of(error: BaseException) -> str:
    """What a store's error comes from, by its type alone: texts may hold addresses."""
    return type(error.__cause__ or error).__name__


class Fallback:
    """Asks a shared store as long as it answers.

    Args:
        part: what the store is for.
        probe: asks the store for nothing, to see whether it is back; raises ``StoreUnavailable``.
        config: see there.
        listener: told each change, and whatever was done alone.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        part: SharedPart,
        probe: Callable[[], Awaitable[object]],
        config: FallbackConfig,
        *,
        listener: Listener = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = part
        self._probe = probe
        self._config = config
        self._listener = listener
        self._clock = clock
        self._places = asyncio.Semaphore(config.max_calls)
        self._resume_at = -math.inf
        self._up = True
        self._probing: asyncio.Task[None] | None = None

    async def ask(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the shared store answers to a call.

        Raises:
            StoreUnavailable: it does not, or did not lately: the caller goes on alone.
        """
        if self._up:
            async with self._places:
                if self._up:  # it may have been lost while we waited
                    try:
                        return await call(*args, **kwargs)
                    except StoreUnavailable as error:
                        self._lost(error)
                        raise
        self._look()
        raise StoreUnavailable("What replicas share does not answer.")

    def done_alone(self) -> None:
        """Tell that something was decided or done without the shared store."""
        self._listener(DoneAlone(self._part))

    def _lost(self, error: StoreUnavailable) -> None:
        self._resume_at = self._clock() + self._config.pause_s
        if self._up:
            self._up = False
            self._listener(SharedLost(self._part, reason_of(error)))

    def _look(self) -> None:
        """See from time to time whether it is back; the caller does not wait for that."""
        if self._probing is None and self._clock() >= self._resume_at:
            self._probing = asyncio.create_task(self._probed())

    async def _probed(self) -> None:
        try:
            await self._probe()
        except StoreUnavailable:
            self._resume_at = self._clock() + self._config.pause_s
        else:
            self._up = True
            self._listener(SharedBack(self._part))
        finally:
            self._probing = None
