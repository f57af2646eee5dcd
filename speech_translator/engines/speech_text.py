"""What a synthesizer is given to say: cleaned of what cannot be said, cut where a voice may pause.

Pure text; no engine is imported here. The engines meet the world's text with it: control characters
(espeak takes some for commands), emoji, lone surrogates, and runs without a space that a
phonemiser needs quadratic time for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

MAX_RUN_CHARS = 40
"""Longest run of letters or digits without a space; longer ones are no words, and are cut."""

MAX_DIGITS = 15
"""Longest number that is read as one; the digits of longer ones are read one by one."""

# Marks after which a voice pauses, the strongest first; the pause each calls for, in seconds.
_SENTENCE_MARKS = ".!?…。！？।॥"
_CLAUSE_MARKS = ",;:—、，；："  # noqa: RUF001 - Chinese marks
SENTENCE_PAUSE_S = 0.28
CLAUSE_PAUSE_S = 0.14

_LETTERS_A_DIGIT = 5
_JOINERS = "\u200c\u200d"
_GONE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"})
_KEPT_SYMBOLS = frozenset("°©®№")  # read aloud by the phonemisers
_SPACE = re.compile(r"\s+")
_DIGITS = re.compile(rf"\d{{{MAX_DIGITS + 1},}}")
_GROUPED = re.compile(rf"\d[\d.,'’]{{{MAX_DIGITS},}}\d")
_SOLID = re.compile(rf"\S{{{MAX_RUN_CHARS + 1},}}")
_SEAM = re.compile(r"([^\w\s]+)")
_LETTERS_AND_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_MARKS = (
    re.compile(rf"(?<=[{_SENTENCE_MARKS}])[\"”’)»]*\s+|(?<=[。！？])"),
    re.compile(rf"(?<=[{_CLAUSE_MARKS}])\s+|(?<=[、，；：])"),  # noqa: RUF001 - Chinese marks
)
_CUTS = (*_MARKS, _SPACE)


def cleaned(text: str) -> str:
    """``text`` as it can be said, in NFC; empty when there is no letter and no digit in it.

    Emoji, control and private characters become spaces, white space becomes single spaces, and what
    is too long to be a word or a number is spaced out.
    """
    text = unicodedata.normalize("NFC", text)
    text = "".join(_kept(text))
    if not any(char.isalnum() for char in text):
        return ""
    text = _GROUPED.sub(lambda found: re.sub(r"(\D)", r"\1 ", found[0]), text)
    text = _DIGITS.sub(lambda found: " ".join(found[0]), text)
    text = _SOLID.sub(lambda found: _spaced(found[0]), text)
    return _SPACE.sub(" ", text).strip()


def _kept(text: str) -> Iterator[str]:
    for char in text:
        if char in _JOINERS or char in _KEPT_SYMBOLS:
            yield char
        elif unicodedata.category(char) in _GONE or char in "\ufe0e\ufe0f\u20e3":
            yield "" if unicodedata.category(char) in {"Cf", "Mn", "Me"} else " "
        else:
            yield char


def _spaced(run: str) -> str:
    """A run without spaces, opened at its punctuation, then wherever it is still too long.

    Scripts without spaces between words are left alone: their phonemisers expect that.
    """
    if all(char.isalpha() and unicodedata.category(char) == "Lo" for char in run):
        return run
    opened = _LETTERS_AND_DIGITS.sub(" ", _SEAM.sub(r"\1 ", run))
    words = []
    for word in opened.split():
        if unicodedata.category(word[0]) == "Lo":
            words.append(word)
        else:
            words += [word[at : at + MAX_RUN_CHARS] for at in range(0, len(word), MAX_RUN_CHARS)]
    return " ".join(words)


def pieces(text: str, soft: int = 120, hard: int = 200) -> list[str]:
    """A sentence in parts that are short work for any engine, to be spoken one call each.

    As ``windows``, by what is spoken rather than what is written: a digit is a word.
    """
    return windows(text, soft, hard, spoken_length)


def spoken_length(text: str) -> int:
    """About how many letters are spoken for ``text``."""
    return len(text) + _LETTERS_A_DIGIT * sum(char.isdigit() for char in text)


def windows(text: str, soft: int, hard: int, length: Callable[[str], int] = len) -> list[str]:
    """``text`` (or phonemes) in pieces that a voice speaks one by one.

    A piece of more than ``soft`` is cut at the sentence mark nearest to its middle, else at a
    clause mark; one of more than ``hard`` also at a space, else anywhere; and so on with both
    halves. Even pieces matter: a voice speaks a short remainder at another pace than the rest.
    """
    text = text.strip()
    size = length(text)
    halves = _halves(text, _CUTS if size > hard else _MARKS) if size > soft else None
    if halves is None and size > hard and len(text) > 1:
        halves = text[: len(text) // 2], text[len(text) // 2 :]
    if halves is None:
        return [text] if text else []
    return [part for half in halves for part in windows(half, soft, hard, length)]


def _halves(text: str, cuts: Sequence[re.Pattern[str]]) -> tuple[str, str] | None:
    """``text`` cut in two by the first kind of cut that has one near the middle, if any has."""
    middle, edge = len(text) / 2, len(text) / 6
    for cut in cuts:
        places = [(found.start(), found.end()) for found in cut.finditer(text)]
        places = [place for place in places if edge <= place[0] <= len(text) - edge]
        if places:
            start, end = min(places, key=lambda place: abs(place[0] - middle))
            return text[:start], text[end:]
    return None


def pause_after(piece: str) -> float:
    """Seconds of silence that the last mark of ``piece`` calls for."""
    last = piece.rstrip('"”’)» ')[-1:]
    if last and last in _SENTENCE_MARKS:
        return SENTENCE_PAUSE_S
    return CLAUSE_PAUSE_S if last and last in _CLAUSE_MARKS else 0.0
