"""Sentences by their offsets, so that everything between them is kept as it is.

Boundaries are sentencex's (Wikimedia; rules and abbreviations for many languages). Line breaks and
tabs always divide, bullets and numbering stay outside, and what is too long for one call of an
engine is cut at clauses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import sentencex

MAX_SENTENCE_CHARS = 400
"""Longest sentence that an engine gets in one call; longer ones are cut at clauses."""

_WINDOW_CHARS = 5_000
"""Text that sentencex gets at once: it takes quadratic time over runs of opening quotes."""

_LINE = re.compile(r"[^\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_BULLET = re.compile(
    r"""\s*(?:(?:
        [-*+•‣◦▪●○·–—>]{1,3}    # bullets, dashes, quoting
        | \#{1,6}               # headings
        | \d{1,3}[.)]           # numbering
        | \[[ xX]\]             # check boxes
    )\s+)+""",
    re.VERBOSE,
)
_CLAUSE = re.compile(r"[,;:,;:、،؛—–](?=\s|[^\x00-\u2fff])|[,、。]")
_SPACE = re.compile(r"\s")


def has_letters(text: str) -> bool:
    """Whether there is anything to translate: false for only spaces, digits, signs or emoji."""
    return any(char.isalpha() for char in text)


def split(text: str, language: str) -> list[tuple[int, int]]:
    """Offsets (start, end) of the sentences of ``text``, in order and without spaces at the ends.

    Args:
        text: any text; what lies between two sentences is spaces, breaks and bullets.
        language: ISO 639-1 code, for abbreviations; unknown ones do as well.
    """
    return [
        piece
        for line in _LINE.finditer(text)
        for start, end in _windows(text, *line.span())
        for sentence in _of_line(text, start, end, language)
        for piece in _clauses(text, *sentence)
    ]


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > _WINDOW_CHARS:
        cut = _last(_SPACE, text, start + _WINDOW_CHARS // 2, start + _WINDOW_CHARS)
        yield start, cut
        start = cut
    yield start, end


def _of_line(text: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    bullet = _BULLET.match(text, start, end)
    start = bullet.end() if bullet else start
    for part in sentencex.segment(language, text[start:end]):
        lead = len(part) - len(part.lstrip())
        length = len(part.strip())
        if length:
            yield start + lead, start + lead + length
        start += len(part)


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentence itself, or pieces of at most ``MAX_SENTENCE_CHARS``."""
    while end - start > MAX_SENTENCE_CHARS:
        near, far = start + MAX_SENTENCE_CHARS // 3, start + MAX_SENTENCE_CHARS
        cut = _last(_CLAUSE, text, near, far, 0) or _last(_SPACE, text, near, far)
        yield start, start + len(text[start:cut].rstrip())
        start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
    if start < end:
        yield start, end


def _last(pattern: re.Pattern[str], text: str, near: int, far: int, otherwise: int = -1) -> int:
    """End of the last match between two offsets; else ``otherwise``, or ``far`` when it is -1."""
    cut = otherwise
    for match in pattern.finditer(text, near, far):
        cut = match.end()
    if cut >= 0:
        return cut
    # No space in sight. A character stays together with what combines with it.
    cut = far
    while cut > near and (unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f"):
        cut -= 1
    return cut
