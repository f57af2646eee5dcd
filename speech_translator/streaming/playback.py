"""What the client is hearing of the speech that it was sent, as far as a clock can tell. Pure."""

from __future__ import annotations

_LATE_S = 0.3
"""A client begins to play a little after it was sent something, and ends as much later."""


class Playback:
    """Speech is heard in its own time, each piece after the one before; times are monotonic."""

    def __init__(self) -> None:
        self._until = float("-inf")

    @property
    def until(self) -> float:
        """When all that was sent will have been heard; in the past where nothing is left."""
        return self._until

    def left_s(self, now: float) -> float:
        """Seconds of speech that were sent and not yet heard."""
        return max(0.0, self._until - now)

    def sounds(self, now: float) -> bool:
        """Whether something is being heard."""
        return now < self._until + _LATE_S

    def plays(self, seconds: float, now: float) -> None:
        """Speech was sent that takes so long to hear."""
        if seconds > 0:
            self._until = max(now, self._until) + seconds

    def stop(self) -> None:
        """The client drops what it has not played."""
        self._until = float("-inf")


class Pace:
    """The time of the talk: the clock's, and ahead of it where audio comes faster than it was said.

    Whoever sends a recording as fast as it is taken does not listen meanwhile, and must not be
    taken for one who is behind.

    Args:
        start_s: audio that came before, in seconds of the session.
        now: when the session began.
    """

    def __init__(self, start_s: float, now: float) -> None:
        self._start_s = start_s
        self._began = now
        self.ahead_s = 0.0

    def came(self, received_s: float, now: float) -> None:
        """So much audio has come."""
        talked = received_s - self._start_s
        self.ahead_s = max(self.ahead_s, talked - (now - self._began))
