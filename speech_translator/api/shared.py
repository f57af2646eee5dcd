"""What replicas share, by the settings; its losses and returns as metrics and log lines."""

from __future__ import annotations

from typing import get_args

from speech_translator.observability import Metrics, logger
from speech_translator.security.fallback import (
    DoneAlone,
    FallbackConfig,
    Listener,
    SharedEvent,
    SharedLost,
    SharedPart,
    ignore,
)
from speech_translator.security.shared import Shared, shared_in_memory, shared_in_redis
from speech_translator.settings import Settings


def shared_of(settings: Settings, listener: Listener = ignore) -> Shared:
    """What the settings say that replicas share, or this process alone has.

    Args:
        settings: the configuration.
        listener: told when Redis is lost and back, and of what was decided alone.

    Raises:
        ConfigurationError: REDIS_URL is no address.
    """
    if settings.redis_url is None:
        return shared_in_memory()
    from speech_translator.security.redis_client import RedisConfig  # noqa: PLC0415 - 20 MiB

    config = RedisConfig(settings.redis_url.get_secret_value())
    return shared_in_redis(config, FallbackConfig(settings.replicas), listener=listener)


class SharedEvents:
    """Counts what befalls the shared store; logs each loss and each return once.

    Args:
        metrics: where it is counted.
        shown: whether there is a shared store whose state is to be shown.
    """

    def __init__(self, metrics: Metrics, *, shown: bool) -> None:
        self._metrics = metrics
        self._log = logger("speech_translator.shared")
        for part in get_args(SharedPart) if shown else ():
            metrics.shared_store(part, up=True)

    def __call__(self, event: SharedEvent) -> None:
        """Take one event."""
        if isinstance(event, DoneAlone):
            self._metrics.done_alone(event.part)
            if event.part == "revocations":
                self._log.warning("revocation_not_told")
            return
        lost = isinstance(event, SharedLost)
        self._metrics.shared_store(event.part, up=not lost)
        if isinstance(event, SharedLost):
            self._log.warning("shared_store_lost", part=event.part, reason=event.reason)
        else:
            self._log.info("shared_store_back", part=event.part)
