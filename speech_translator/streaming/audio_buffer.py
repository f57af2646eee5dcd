"""The audio of one session that is still needed, by its place in the session."""

from __future__ import annotations

from collections import deque

import numpy as np

from speech_translator.engines.values import SAMPLE_RATE, Samples

_BLOCK = 1024
_SAME_MOMENT_S = 0.005


class AudioBuffer:
    """Keeps ``[start, end)`` of a session's samples, and when each of them came.

    Positions are samples at 16 kHz from the start of the session.

    Args:
        start: position of the first sample that will come.
    """

    def __init__(self, start: int = 0) -> None:
        self._chunks: deque[Samples] = deque()
        self._arrivals: deque[tuple[int, float]] = deque()
        self.start = start
        self.end = start

    @property
    def seconds(self) -> float:
        """Length of what is kept."""
        return (self.end - self.start) / SAMPLE_RATE

    def append(self, samples: Samples, now: float) -> None:
        """Add what came at time ``now``.

        Small pieces are put together: a client that sends one sample a frame costs no more.
        """
        if not len(samples):
            return
        if self._chunks and len(self._chunks[-1]) + len(samples) <= _BLOCK:
            samples_before = self._chunks.pop()
            self._chunks.append(np.concatenate((samples_before, samples)))
        else:
            self._chunks.append(samples)
        self.end += len(samples)
        if self._arrivals and now - self._arrivals[-1][1] < _SAME_MOMENT_S:
            self._arrivals[-1] = (self.end, self._arrivals[-1][1])
        else:
            self._arrivals.append((self.end, now))

    def read(self, start: int, end: int) -> Samples:
        """A copy of ``[start, end)``, which must be kept."""
        if not self.start <= start <= end <= self.end:
            raise ValueError("that part of the session is not kept")
        parts, position = [], self.start
        for chunk in self._chunks:
            if position + len(chunk) > start and position < end:
                parts.append(chunk[max(0, start - position) : end - position])
            position += len(chunk)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def forget_before(self, position: int) -> None:
        """Drop what lies before ``position``; whole chunks only, so it is cheap."""
        while self._chunks and self.start + len(self._chunks[0]) <= position:
            self.start += len(self._chunks.popleft())
        while len(self._arrivals) > 1 and self._arrivals[0][0] <= self.start:
            self._arrivals.popleft()

    def arrived_at(self, position: int) -> float:
        """When the sample before ``position`` came: the latest known where that is forgotten."""
        for end, when in self._arrivals:
            if end >= position:
                return when
        return self._arrivals[-1][1] if self._arrivals else 0.0
