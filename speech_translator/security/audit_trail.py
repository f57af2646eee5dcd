"""Acts as the audit log has them: who did what, on what, when and from where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from speech_translator.storage.audit import AuditEntry, AuditLog


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: ``name`` is an owner's id."""

    name: str
    address: str
    request_id: str


class AuditTrail:
    """Writes acts down.

    Args:
        log: where.
        clock: milliseconds since 1970.
    """

    def __init__(self, log: AuditLog, clock: Callable[[], int]) -> None:
        self._log = log
        self._clock = clock

    async def write(self, action: str, subject: str, actor: Actor, outcome: str = "done") -> None:
        """Write an act down. Raises ``StoreUnavailable``."""
        await self._log.append(self.entry(action, subject, actor, outcome))

    def entry(self, action: str, subject: str, actor: Actor, outcome: str = "done") -> AuditEntry:
        """An act, to be written down in the transaction of whoever does it."""
        return AuditEntry(
            at=self._clock(),
            actor=actor.name,
            action=action,
            subject=subject,
            outcome=outcome,
            address=actor.address,
            request_id=actor.request_id,
        )

    def on_key(self, action: str, key_id: str, actor: Actor) -> AuditEntry:
        """An act on a key."""
        return self.entry(action, f"key:{key_id}", actor)
