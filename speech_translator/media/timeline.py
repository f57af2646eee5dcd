"""Where the frames of a live stream belong: an encoder may leave silence out (Opus DTX, RFC 6716).

Pure. Times of a live stream come from the recorder's clock, which jitters and drifts against its
samples; so only what is missing for longer than a few frames is put back.
"""

from __future__ import annotations

_LEAST_GAP_S = 0.1
_LONGEST_GAP_S = 30.0
"""More is no pause of a speaker, but a recorder that slept or a clock that was set."""


class Timeline:
    """Compares the times of frames with the audio that came before them."""

    def __init__(self) -> None:
        self._next_s: float | None = None

    def silence_before(self, start_s: float | None, seconds: float) -> float:
        """Seconds of silence that are missing before a frame.

        Args:
            start_s: the frame's time by its stream; None where there is none.
            seconds: its length.
        """
        if start_s is None:
            start_s = self._next_s or 0.0
        if self._next_s is None:  # a stream may begin at any time
            self._next_s = start_s
        missing = start_s - self._next_s
        if missing < -_LONGEST_GAP_S or missing > _LONGEST_GAP_S:
            missing = 0.0
            self._next_s = start_s
        elif missing < _LEAST_GAP_S:
            missing = 0.0
        self._next_s += missing + seconds
        return missing
