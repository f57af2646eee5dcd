"""Numbers of a sentence: whether its translation kept them, and marks for those that it did not.

An engine writes a number as its language does, ``1.5`` as ``1,5``, so numbers are not masked from
the start. Small models drop or change one now and then; then it is asked once more, with markers
in their place.
"""

from __future__ import annotations

import re
from collections import Counter

from speech_translator.text.marks import Kind, Mark

_NUMBER = re.compile(r"(?<!\w)\d[\d.,:/]*\d(?!\w)")
_THOUSANDS = re.compile(r"(?<=\d)[.,'’ \u00a0\u202f](?=\d{3}(?!\d))")
# One digit may well become a word, or another hour of the day.
_DIGITS = re.compile(r"\d{2,}")


def are_lost(sentence: str, translation: str) -> bool:
    """Whether a number of two digits or more is missing, however it would be written."""
    if not _DIGITS.search(sentence):
        return False
    wanted = Counter(_DIGITS.findall(_joined(sentence)))
    return bool(wanted - Counter(_DIGITS.findall(_joined(translation))))


def find(text: str, start: int, end: int) -> list[Mark]:
    """Marks for the numbers between two offsets, in order."""
    return [Mark(*match.span(), Kind.VALUE) for match in _NUMBER.finditer(text, start, end)]


def _joined(text: str) -> str:
    """Without the signs that set thousands apart."""
    return _THOUSANDS.sub("", text)
