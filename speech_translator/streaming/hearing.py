"""A session's audio on its way to utterances: buffered, put through voice activity detection."""

from __future__ import annotations

import numpy as np

from speech_translator.engines.values import SAMPLE_RATE, Samples, SpeechProbabilities
from speech_translator.streaming.audio_buffer import AudioBuffer
from speech_translator.streaming.voice_activity import (
    WINDOW,
    Boundary,
    EndpointConfig,
    Endpointer,
)
from speech_translator.streaming.work import Detect

# Few lengths, so that clips of several sessions share a batch; long ones only to catch up.
_CLIP_WINDOWS = (32, 8, 3)


class Hearing:
    """Turns the audio of one session into boundaries of utterances.

    Args:
        config: of the endpointer.
        start: the window of the session that is heard first.
    """

    def __init__(self, config: EndpointConfig, start: int = 0) -> None:
        self._audio = AudioBuffer(start * WINDOW)
        self._config = config
        self._endpointer = Endpointer(config, start)
        self._state: bytes | None = None
        self._clip: Samples | None = None
        self._ended = False
        self._closed = False
        self.received = start * WINDOW

    @property
    def received_s(self) -> float:
        """Audio that came, in seconds."""
        return self.received / SAMPLE_RATE

    @property
    def unheard_s(self) -> float:
        """Audio that waits for detection, in seconds."""
        return (self._audio.end - self._position) / SAMPLE_RATE

    @property
    def settled_s(self) -> float:
        """Audio before this belongs to closed utterances or to silence, in seconds."""
        if self._closed:
            return self.received_s
        return min(self._endpointer.settled * WINDOW / SAMPLE_RATE, self.received_s)

    @property
    def speech_end(self) -> int:
        """Windows before the end of the last speech of the open utterance."""
        return self._endpointer.position - self._endpointer.silence

    @property
    def silence_s(self) -> float:
        """Silence since the last speech of the open utterance, in seconds."""
        return self._endpointer.silence * WINDOW / SAMPLE_RATE

    @property
    def may_have_ended(self) -> bool:
        """Whether the open utterance is silent for long enough to be decoded as if it had ended."""
        early = self._endpointer.silence * WINDOW >= self._config.early_silence_s * SAMPLE_RATE
        return early and not self._ended

    @property
    def closed(self) -> bool:
        """Whether all audio was heard after its end."""
        return self._closed

    def append(self, samples: Samples, now: float) -> None:
        """Add what came at time ``now``."""
        self.received += len(samples)
        self._audio.append(samples, now)

    def end(self, now: float) -> None:
        """Nothing more will come; the last window is filled up with silence."""
        if not self._ended:
            self._ended = True
            self._audio.append(np.zeros(-self._audio.end % WINDOW, np.float32), now)

    def next_clip(self) -> Detect | None:
        """What to put through detection now; None while that is busy or there is too little."""
        if self._clip is not None:
            return None
        windows = (self._audio.end - self._position) // WINDOW
        fitting = [size for size in _CLIP_WINDOWS if size <= windows]
        if self._ended and not fitting:
            fitting = [windows] if windows else []
        if not fitting:
            return None
        self._clip = self._audio.read(self._position, self._position + fitting[0] * WINDOW)
        return Detect(self._clip, self._state)

    def heard(self, found: SpeechProbabilities) -> list[Boundary]:
        """Boundaries in the clip that was put through detection."""
        if self._clip is None:
            raise RuntimeError("nothing was put through detection")
        windows = self._clip.reshape(-1, WINDOW)
        levels = np.sqrt(np.mean(np.square(windows), axis=1))
        self._clip = None
        self._state = found.state
        return self._endpointer.feed(found.probabilities.tolist(), levels.tolist())

    def judge(self, *, whole: bool) -> list[Boundary]:
        """Wait longer or shorter for the open utterance to go on.

        Args:
            whole: what was said so far is a whole sentence.
        """
        config = self._config
        return self._endpointer.wait_for(
            config.sentence_silence_s if whole else config.phrase_silence_s
        )

    def finish(self) -> list[Boundary]:
        """The last boundary, once everything that came was heard; empty before."""
        if not self._ended or self._closed or self._clip is not None:
            return []
        if self._position < self._audio.end:
            return []
        self._closed = True
        return self._endpointer.finish()

    def read(self, start: int, end: int | None = None) -> Samples:
        """Samples of windows ``[start, end)``; up to what was heard by default."""
        end = self._endpointer.position if end is None else end
        return self._audio.read(start * WINDOW, end * WINDOW)

    def read_ended(self, start: int) -> Samples:
        """Samples from window ``start`` on, as they will be if the open utterance has ended."""
        return self.read(start, self._endpointer.ends_at)

    def arrived_at(self, window: int) -> float:
        """When the audio before ``window`` came."""
        return self._audio.arrived_at(window * WINDOW)

    def forget(self) -> None:
        """Drop audio that no utterance can need any more."""
        self._audio.forget_before(self._endpointer.settled * WINDOW)

    @property
    def _position(self) -> int:
        return self._endpointer.position * WINDOW
