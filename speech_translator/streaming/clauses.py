"""Where the clauses of a sentence end, and which of them can be spoken by themselves. Pure."""

from __future__ import annotations

import re

from speech_translator.text.sentences import split

LEAST_CHARS = 24
"""Shortest part of a sentence that is spoken by itself: shorter ones sound torn off."""

_SIGN = re.compile(r"[!?…,;:](?=\s|$)|[\u3002\uff01\uff1f\uff0c\u3001\uff1b\uff1a]")
_LOWER = re.compile(r"\s+[^\W\d_]*")
# One sign of these scripts says as much as some letters do.
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTERS_A_SIGN = 3
_LETTERS_A_SECOND = 15
_GOES_ON = " Xx"
"""What an abbreviation may be followed by, and a sentence too: then sentencex tells them apart."""


def clause_ends(text: str, language: str) -> list[int]:
    """Offsets behind the signs that end clauses; the point of "Prof." or "3.50" ends none.

    Args:
        text: a sentence or some, the last of which may go on.
        language: ``Language.key``, for its abbreviations.
    """
    whole = text.rstrip()
    sentences = {end for _, end in split(whole + _GOES_ON, language) if end < len(whole + _GOES_ON)}
    signs = {found.end() for found in _SIGN.finditer(whole)}
    return sorted(signs | {end for end in sentences if not _goes_on(whole, end)})


def spoken_parts(text: str, language: str) -> list[str]:
    """A sentence in the parts that are spoken one by one; together they are all of it.

    Args:
        text: the sentence.
        language: ``Language.key``.
    """
    found: list[str] = []
    start = 0
    for end in clause_ends(text, language):
        if _length(text[start:end]) >= LEAST_CHARS and _length(text[end:]) >= LEAST_CHARS:
            found.append(text[start:end].strip())
            start = end
    return [*found, text[start:].strip()]


def spoken_s(text: str) -> float:
    """About how many seconds it takes to say."""
    return _length(text) / _LETTERS_A_SECOND


def _goes_on(text: str, end: int) -> bool:
    """Whether a small letter follows: the point before it was an abbreviation's."""
    following = _LOWER.match(text, end)
    return following is not None and following[0].strip()[:1].islower()


def _length(text: str) -> int:
    """As in letters of an alphabet."""
    return len(text) + (_LETTERS_A_SIGN - 1) * len(_DENSE.findall(text))
