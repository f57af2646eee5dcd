"""How far a session has come, and whether it is behind: what the client is told of it. Pure."""

from __future__ import annotations

import math

from speech_translator.streaming.messages import Ack, Warned
from speech_translator.streaming.utterances import Utterance

_WARNING_STEP_S = 10.0


class Progress:
    """Acknowledges audio, and warns now and then while the server cannot keep up.

    Args:
        behind_s: age of the oldest waiting utterance at which the client is warned, in seconds.
    """

    def __init__(self, behind_s: float) -> None:
        self._behind_s = behind_s
        self._acknowledged_s = 0.0
        self._warned_at = -math.inf

    def reached(self, safe_s: float, *, step_s: float) -> Ack | None:
        """Everything before ``safe_s`` is final or silence: worth a word after ``step_s`` more."""
        if safe_s <= self._acknowledged_s + step_s:
            return None
        self._acknowledged_s = safe_s
        return Ack(audio_s=round(safe_s, 3))

    def lag(self, first: Utterance | None, now: float) -> Warned | None:
        """A warning where ``first``, the oldest utterance, has waited for too long."""
        if first is None or now - self._warned_at < _WARNING_STEP_S:
            return None
        lag_s = now - first.closed_at
        if lag_s < self._behind_s:
            return None
        self._warned_at = now
        return Warned(
            code="falling_behind",
            message="The server cannot keep up; captions come later.",
            details={"lag_s": round(lag_s, 3)},
        )
