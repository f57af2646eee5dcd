"""Text that is told piece by piece, and can only be added to. Pure."""

from __future__ import annotations

import re

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
)
"""Letters and signs of scripts that write no spaces."""


class Transcript:
    """What a client has put together so far."""

    def __init__(self) -> None:
        self._last = ""

    def added(self, sentence: str) -> str:
        """A sentence as it is put behind the others: with a space where its script writes one."""
        if not sentence:
            return ""
        border = self._last + sentence[0]
        spaced = self._last and len(_UNSPACED.findall(border)) < len(border)
        self._last = sentence[-1]
        return f" {sentence}" if spaced else sentence
