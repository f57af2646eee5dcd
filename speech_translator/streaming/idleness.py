"""Since when a session has been waiting for its client, and for nothing else. Pure."""

from __future__ import annotations

from speech_translator.streaming.playback import Playback


class IdleWatch:
    """Tells an idle client from one that listens, or that we keep waiting ourselves.

    Time counts only while the next move is the client's (``waits``). Speech that was sent counts
    as heard in its own time, so that who listens to it is not idle.

    Args:
        limit_s: seconds after which a client is idle.
        now: when the session began; all times are monotonic seconds.
        playback: what the client hears.
    """

    def __init__(self, limit_s: float, now: float, playback: Playback) -> None:
        self._limit_s = limit_s
        self._since = now
        self._playback = playback
        self._waiting = True

    @property
    def deadline(self) -> float | None:
        """When the client will be idle, if nothing happens; None while it is not waited for."""
        return max(self._since, self._playback.until) + self._limit_s if self._waiting else None

    def heard(self, now: float) -> None:
        """The client sent something."""
        self._since = now

    def waits(self, *, waiting: bool, now: float) -> None:
        """Whether the next move is the client's."""
        if waiting and not self._waiting:
            self._since = now  # the client was silent because of us
        self._waiting = waiting
