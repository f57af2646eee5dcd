"""All breakers of an application by the names of what they guard: to be looked at and reset."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from speech_translator.errors import ConfigurationError, NotFound
from speech_translator.reliability.breaker_machine import BreakerConfig
from speech_translator.reliability.breaker_sharing import Sharing
from speech_translator.reliability.circuit_breaker import (
    CircuitBreaker,
    Listener,
    StateChange,
    speaks_against,
)
from speech_translator.reliability.deadlines import Clock

logger = logging.getLogger(__name__)


class CircuitBreakerRegistry:
    """Breakers by name, each made when it is first asked for. Any thread may use it.

    Names come from the configuration, never from requests: nothing is ever dropped.

    Args:
        config: of breakers that are given none of their own.
        is_failure: of breakers that are given none of their own; see ``CircuitBreaker``.
        sharing: with which other processes; None for none.
        clock: monotonic seconds.
        wall_clock: seconds since 1970.
    """

    def __init__(
        self,
        config: BreakerConfig | None = None,
        *,
        is_failure: Callable[[Exception], bool] = speaks_against,
        sharing: Sharing | None = None,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self._config = config or BreakerConfig()
        self._is_failure = is_failure
        self._sharing = sharing
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._breakers: dict[str, CircuitBreaker] = {}
        self._listeners: list[Listener] = []

    def get(
        self,
        name: str,
        config: BreakerConfig | None = None,
        *,
        is_failure: Callable[[Exception], bool] | None = None,
    ) -> CircuitBreaker:
        """The breaker of that name, the same one every time.

        Args:
            name: of what it guards.
            config: of its own.
            is_failure: of its own, for whoever asks first.

        Raises:
            ConfigurationError: it was made with another ``config``.
        """
        found = self._breakers.get(name)
        if found is None:
            found = self._made(name, config or self._config, is_failure or self._is_failure)
        if config is not None and found.config != config:
            raise ConfigurationError(f"The circuit breaker {name} is configured twice.")
        return found

    def _made(
        self, name: str, config: BreakerConfig, is_failure: Callable[[Exception], bool]
    ) -> CircuitBreaker:
        with self._lock:
            if name not in self._breakers:
                self._breakers[name] = CircuitBreaker(
                    name,
                    config,
                    is_failure=is_failure,
                    sharing=self._sharing,
                    listener=self._tell,
                    clock=self._clock,
                    wall_clock=self._wall_clock,
                )
            return self._breakers[name]

    def breakers(self) -> list[CircuitBreaker]:
        """All of them, in the order in which they were made."""
        return list(self._breakers.values())

    async def reset(self, name: str | None = None) -> list[str]:
        """Close one, or all of them, and forget what was counted; the names of those.

        Raises:
            NotFound: there is none of that name.
        """
        chosen = self.breakers() if name is None else [self._known(name)]
        for breaker in chosen:
            await breaker.reset()
        return [breaker.name for breaker in chosen]

    def _known(self, name: str) -> CircuitBreaker:
        found = self._breakers.get(name)
        if found is None:
            known = sorted(self._breakers)
            raise NotFound("There is no circuit breaker of that name.", breakers=known)
        return found

    def subscribe(self, listener: Listener) -> None:
        """Have ``listener`` told every change of state from now on, on the thread that saw it."""
        self._listeners.append(listener)

    def _tell(self, change: StateChange) -> None:
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:  # the others are told all the same
                logger.exception("A listener of circuit breakers failed")
