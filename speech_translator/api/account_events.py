"""What the upkeep of accounts finds and does, as metrics and log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speech_translator.observability import Metrics, logger

if TYPE_CHECKING:
    from speech_translator.security.upkeep import UpkeepEvent

_MAX_SHOWN = 20


class AccountEvents:
    """Sets the gauge of old keys; warns of them, by their ids, at the start and once a day.

    Args:
        metrics: where it is counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = logger("speech_translator.accounts")

    def __call__(self, event: UpkeepEvent) -> None:
        """Take one event."""
        from speech_translator.security.upkeep import (  # noqa: PLC0415 - with the database's libraries
            Forgotten,
            OldKeysFound,
            OldKeyUsed,
        )

        if isinstance(event, OldKeysFound):
            self._metrics.old_keys(event.count)
            if event.count and event.daily:
                shown = list(event.key_ids[:_MAX_SHOWN])
                self._log.warning("keys_over_age", count=event.count, key_ids=shown)
        elif isinstance(event, OldKeyUsed):
            self._log.warning("old_key_used", key_id=event.key_id)
        elif isinstance(event, Forgotten):
            self._log.info("retention_over", what=event.what, count=event.count)
        else:
            self._log.warning("upkeep_failed", step=event.step)
