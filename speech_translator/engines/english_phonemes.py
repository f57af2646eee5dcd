"""English text to phonemes, through the rules and lexica that ``hibari-tts`` carries (Apache-2.0).

They are those of misaki, which Kokoro-82M was trained on (https://github.com/hexgrad/misaki), so
the same phonemes serve both engines, and neither needs anything under the GPL for English.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import Any, cast

from speech_translator.engines.speech_text import cleaned

_BETWEEN_DIGITS = re.compile(r"(?<=\d)(?=\d)|(?<=\d)[.,:/-]+(?=\d)")
_MARKUP = re.compile(r"[\[\]]")


class EnglishPhonemes:
    """Reads English aloud on paper. Not thread-safe: lexica are loaded at first use."""

    @cached_property
    def _american(self) -> Any:
        return _rules(british=False)

    @cached_property
    def _british(self) -> Any:
        return _rules(british=True)

    def of(self, text: str, *, british: bool = False) -> str:
        """Phonemes with their marks, in misaki's alphabet; empty when nothing can be said."""
        # [word](/phonemes/) is misaki's markup, not something that a caller may smuggle in.
        text = _MARKUP.sub(" ", cleaned(text))
        if not text:
            return ""
        rules = self._british if british else self._american
        try:
            return cast("str", rules(text))
        except (IndexError, ValueError):
            # The rules take ① inside of a word for a digit, and are no match for some numbers.
            plain = unicodedata.normalize("NFKC", text)
            return cast("str", rules(_BETWEEN_DIGITS.sub(" ", plain)))


def _rules(*, british: bool) -> Any:
    from hibari.g2p import G2P  # noqa: PLC0415 - heavy, and only inside an engine process

    return G2P(british=british)
