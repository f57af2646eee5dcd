"""Where utterances begin and end, from a stream of speech probabilities. Pure.

Hysteresis with two thresholds after Silero's ``VADIterator``
(https://github.com/snakers4/silero-vad); times are counted in windows of 512 samples at 16 kHz
(32 ms) from the start of the session. An utterance that grows too long is cut at its quietest
place, so that a cut seldom goes through a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 512
"""Samples that one probability covers."""

WINDOW_S = WINDOW / 16_000

_SMOOTHING = 5
_LOUDNESS_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """When speech counts as begun and as ended; times in seconds."""

    onset: float = 0.5
    """Probability at which speech may begin."""
    release: float = 0.35
    """Probability under which speech may have ended."""
    min_speech_s: float = 0.096
    """Speech in the first moments that it takes to begin: clicks are shorter."""
    end_silence_s: float = 0.6
    """Silence that ends an utterance of which nothing is known."""
    sentence_silence_s: float = 0.4
    """Silence that ends one that sounds like a whole sentence so far."""
    phrase_silence_s: float = 0.8
    """Silence that ends one that breaks off in the middle of a phrase."""
    early_silence_s: float = 0.2
    """Silence after which an utterance is decoded on the chance that it has ended."""
    pre_roll_s: float = 0.3
    """Audio kept before the onset, for soft first sounds."""
    post_roll_s: float = 0.2
    """Audio kept after the last speech."""
    max_utterance_s: float = 20.0
    """Length at which an utterance is cut."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An utterance has begun. Its audio starts at window ``start``, speech at ``speech_start``."""

    start: int
    speech_start: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The open utterance has ended: audio ``[start, end)``, speech inside it, in windows.

    ``capped`` says that it was cut for its length and that another one opens at ``end``.
    ``spoken`` is False where it held no speech after all, as the rest after a cut may.
    """

    start: int
    end: int
    speech_start: int
    speech_end: int
    capped: bool = False
    spoken: bool = True


Boundary = Opened | Closed


class Endpointer:
    """Finds the utterances of one session.

    Args:
        config: thresholds and times.
        start: the window that is heard first.
    """

    def __init__(self, config: EndpointConfig | None = None, start: int = 0) -> None:
        config = config or EndpointConfig()
        self._config = config
        self._min_speech = _windows(config.min_speech_s)
        self._patience = self._end_silence = _windows(config.end_silence_s)
        self._pre_roll = _windows(config.pre_roll_s)
        self._post_roll = _windows(config.post_roll_s)
        self._max_utterance = max(4 * _SMOOTHING, _windows(config.max_utterance_s))
        self._position = start
        self._last_end = start
        self._rising = 0
        self._open: Opened | None = None
        self._speech_end = 0
        self._quietness: list[float] = []

    @property
    def position(self) -> int:
        """Windows heard so far."""
        return self._position

    @property
    def settled(self) -> int:
        """Windows before this one belong to utterances that are closed, or to silence."""
        if self._open is not None:
            return self._open.start
        return max(self._last_end, self._position - self._rising - self._pre_roll)

    @property
    def silence(self) -> int:
        """Windows since the last speech of the open utterance; 0 when none is open."""
        return 0 if self._open is None else self._position - self._speech_end

    @property
    def ends_at(self) -> int:
        """The window at which the open utterance ends if no more speech comes."""
        return min(self._position, self._speech_end + self._post_roll)

    def feed(self, probabilities: Sequence[float], levels: Sequence[float]) -> list[Boundary]:
        """Boundaries found in the next windows.

        Args:
            probabilities: of speech, one a window.
            levels: loudness of the same windows, as RMS in [0, 1].
        """
        found: list[Boundary] = []
        for probability, level in zip(probabilities, levels, strict=True):
            self._position += 1
            if self._open is None:
                found += self._while_silent(probability)
            else:
                found += self._while_open(probability, level)
        return found

    def wait_for(self, silence_s: float) -> list[Boundary]:
        """The open utterance ends after that much silence, which may have passed already."""
        self._patience = _windows(silence_s)
        if self._open is None or self.silence < self._patience:
            return []
        return [self._close(self.ends_at)]

    def finish(self) -> list[Boundary]:
        """Close what is open; nothing more will be heard."""
        if self._open is None:
            return []
        return [self._close(self.ends_at)]

    def _while_silent(self, probability: float) -> list[Boundary]:
        self._rising = self._rising + 1 if probability >= self._config.onset else 0
        if self._rising < self._min_speech:
            return []
        speech_start = self._position - self._rising
        opened = Opened(max(self._last_end, speech_start - self._pre_roll), speech_start)
        self._begin(opened, self._position)
        return [opened]

    def _while_open(self, probability: float, level: float) -> list[Boundary]:
        assert self._open is not None  # noqa: S101 - by the caller
        speaking = self._position - self._speech_end == 1
        if probability >= (self._config.release if speaking else self._config.onset):
            self._speech_end = self._position
            self._patience = self._end_silence
        self._quietness.append(probability + _LOUDNESS_WEIGHT * min(1.0, level))
        if self._position - self._speech_end >= self._patience:
            return [self._close(self.ends_at)]
        if self._position - self._open.start >= self._max_utterance:
            return self._cut()
        return []

    def _cut(self) -> list[Boundary]:
        """Close at the quietest place of the second half and open again there."""
        assert self._open is not None  # noqa: S101 - by the caller
        scores = self._quietness
        half = max(_SMOOTHING, len(scores) // 2)
        place = min(
            range(half, len(scores)),
            key=lambda index: (sum(scores[index - _SMOOTHING + 1 : index + 1]), -index),
        )
        # Scores begin where the utterance was opened; the quiet stretch is cut in its middle.
        cut = self._position - (len(scores) - 1 - place) - _SMOOTHING // 2
        speech_end, rest = self._speech_end, scores[len(scores) - (self._position - cut) :]
        closed = Closed(
            self._open.start, cut, self._open.speech_start, min(cut, speech_end), capped=True
        )
        self._last_end = cut
        self._begin(Opened(cut, cut), speech_end)
        self._quietness = rest
        return [closed, self._open]

    def _begin(self, opened: Opened, speech_end: int) -> None:
        self._open = opened
        self._speech_end = speech_end
        self._patience = self._end_silence
        self._rising = 0
        self._quietness = []

    def _close(self, end: int) -> Closed:
        assert self._open is not None  # noqa: S101 - by the caller
        opened, self._open = self._open, None
        spoken = self._speech_end > opened.speech_start
        speech_end = max(self._speech_end, opened.speech_start)
        end = max(end, speech_end)
        self._last_end = end
        self._rising = 0
        self._quietness = []
        return Closed(opened.start, end, opened.speech_start, speech_end, spoken=spoken)


def _windows(seconds: float) -> int:
    return max(1, round(seconds / WINDOW_S))
