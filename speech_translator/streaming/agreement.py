"""What successive decodes of a growing utterance agree on. Pure.

LocalAgreement-2 (Macháček, Dabre, Bojar: "Turning Whisper into Real-Time Transcription System",
2023; https://arxiv.org/abs/2307.14743): a word is confirmed once two decodes in a row have it at
its place, and then stays; where one of them was unsure it takes five, since mishearings of the
first moments come several times. The last word of a decode may have been cut in the middle: it is
neither confirmed nor shown, unless it is all there is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from difflib import SequenceMatcher

from speech_translator.streaming.clauses import clause_ends

# Scripts that are written without spaces: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)")

_UNSURE_DECODES = 5
"""Decodes in a row that have to agree where one of the last two was unsure."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The running utterance as it is shown; what stands before ``confirmed_chars`` holds."""

    text: str = ""
    confirmed_chars: int = 0

    def clauses(self, language: str) -> str:
        """The confirmed text up to the end of its last clause; ``language`` as ``clause_ends``."""
        ends = [end for end in clause_ends(self.text, language) if end <= self.confirmed_chars]
        return self.text[: ends[-1]] if ends else ""


class Agreement:
    """Follows the decodes of one utterance."""

    def __init__(self) -> None:
        self._confirmed: list[str] = []
        self._decodes: deque[list[str]] = deque(maxlen=_UNSURE_DECODES - 1)
        self._sure = False
        self.hypothesis = Hypothesis()

    def hear(self, text: str, *, ended: bool = False, sure: bool = True) -> Hypothesis:
        """The hypothesis after another decode.

        Args:
            text: of the decode.
            ended: silence followed, so its last word was heard to its end.
            sure: it is no guess.
        """
        tokens = _TOKEN.findall(text.strip())
        whole = tokens if ended or len(tokens) == 1 else tokens[:-1]
        rest = self._after_confirmed(whole)
        agreed = 0
        wanted = 1 if sure and self._sure else _UNSURE_DECODES - 1
        before = [*self._decodes][-wanted:]
        if len(before) == wanted:
            agreed = min(_common(self._after_confirmed(one), rest) for one in before)
        self._confirmed += rest[:agreed]
        self._decodes.append(whole)
        self._sure = sure
        shown = "".join(self._confirmed + rest[agreed:])
        confirmed = "".join(self._confirmed)
        lead = len(shown) - len(shown.lstrip())
        self.hypothesis = Hypothesis(shown[lead:], max(0, len(confirmed) - lead))
        return self.hypothesis

    def _after_confirmed(self, tokens: list[str]) -> list[str]:
        """What a decode has beyond the confirmed words, wherever it puts those."""
        count = len(self._confirmed)
        confirmed, heard = [*map(_plain, self._confirmed)], [*map(_plain, tokens)]
        if heard[:count] == confirmed:
            return tokens[count:]
        blocks = SequenceMatcher(None, confirmed, heard, autojunk=False).get_matching_blocks()
        last = max((block for block in blocks if block.size), key=lambda one: one.a, default=None)
        start = count if last is None else last.b + last.size + count - (last.a + last.size)
        return tokens[start:]


def _common(first: list[str], second: list[str]) -> int:
    """How many words both begin with."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if _plain(one) != _plain(other):
            return index
    return min(len(first), len(second))


def _plain(token: str) -> str:
    """A word without case and punctuation, which change as the sentence goes on."""
    plain = "".join(c for c in token.casefold() if unicodedata.category(c)[0] in "LMN")
    return plain or token.strip()
