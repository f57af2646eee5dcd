"""Where a caption may break, and its two lines.

Widths are columns: East Asian wide characters take two (Unicode UAX #11), marks that combine with
the character before them take none. Forty-two columns in two lines is the usual house rule of
broadcasters for Latin script; wide scripts get half as many characters from the same figure.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_LINE = 42
"""Columns of one line."""

MAX_LINES = 2

# White space that does not forbid a break; no-break spaces stay inside their word.
_TOKEN = re.compile(r"(?:\S|[\u00a0\u202f\u2007])+")
_JOINERS = frozenset("\u200d\u2060")
_NO_START = frozenset(
    "、。，．・：；？！」』）】》〉ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"  # noqa: RUF001
    "’”!?,.:;)]}%"
)
_NO_END = frozenset("「『（【《〈‘“([{")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Atom:
    """A piece of text that is never broken: usually a word.

    ``first`` and ``last`` count the characters of the text that are not white space: the piece
    holds those in ``[first, last)``. ``spaced`` says that white space stood before it.
    """

    text: str
    first: int
    last: int
    spaced: bool
    columns: int


@lru_cache(maxsize=4096)
def _width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


@lru_cache(maxsize=4096)
def _stands_alone(character: str) -> bool:
    """Whether a line may break on either side of it: Chinese and Japanese, not Korean or emoji."""
    return (
        _width(character) > 1
        and unicodedata.category(character) != "So"
        and not unicodedata.name(character, "").startswith("HANGUL")
    )


def columns(text: str) -> int:
    """Width of ``text`` in columns."""
    return sum(map(_width, text))


def clean(text: str) -> str:
    """``text`` without control characters; white space among them becomes a space."""
    return "".join(
        character
        if unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        else " "
        if character.isspace()
        else ""
        for character in text
    )


def atoms(text: str) -> list[Atom]:
    """The unbreakable pieces of a ``clean`` text, in order."""
    found: list[Atom] = []
    offset = 0
    for token in _TOKEN.findall(text):
        if not token.strip():
            continue
        for index, piece in enumerate(_pieces(token)):
            size = visible(piece)
            found.append(Atom(piece, offset, offset + size, index == 0, columns(piece)))
            offset += size
    return found


def visible(text: str) -> int:
    """Characters that are not white space."""
    return sum(1 for character in text if not character.isspace())


def _pieces(token: str) -> list[str]:
    """A token whole, or cut where it is too wide or its script writes no spaces."""
    if columns(token) <= MAX_LINE and not any(map(_stands_alone, token)):
        return [token]
    pieces: list[str] = []
    for cluster in _clusters(token):
        if pieces and not _may_break(pieces[-1], cluster):
            pieces[-1] += cluster
        else:
            pieces.append(cluster)
    return pieces


def _may_break(before: str, cluster: str) -> bool:
    if columns(before) + columns(cluster) > MAX_LINE:
        return True
    if cluster[0] in _NO_START or before[-1] in _NO_END or cluster[0].isspace():
        return False
    return _stands_alone(before[-1]) or _stands_alone(cluster[0])


def _clusters(token: str) -> list[str]:
    """Characters with the marks and joiners that belong to them."""
    found: list[str] = []
    for character in token:
        joined = found and (
            unicodedata.category(character).startswith("M")
            or character in _JOINERS
            or found[-1][-1] in _JOINERS
        )
        if joined:
            found[-1] += character
        else:
            found.append(character)
    return found


def join(pieces: list[Atom]) -> str:
    """The pieces as one line."""
    return "".join(
        f" {piece.text}" if piece.spaced and index else piece.text
        for index, piece in enumerate(pieces)
    )


def line_columns(pieces: list[Atom]) -> int:
    """Width of ``join(pieces)``."""
    return sum(piece.columns for piece in pieces) + sum(piece.spaced for piece in pieces[1:])


def fits(pieces: list[Atom]) -> bool:
    """Whether the pieces go into the lines of one cue."""
    lines, used = 1, 0
    for piece in pieces:
        wanted = piece.columns + (piece.spaced if used else 0)
        if used and used + wanted > MAX_LINE:
            lines, used = lines + 1, piece.columns
        else:
            used += wanted
    return lines <= MAX_LINES


def wrap(pieces: list[Atom]) -> tuple[str, ...]:
    """One line, or two of like length, broken after punctuation where that costs little."""
    whole = line_columns(pieces)
    if whole <= MAX_LINE or len(pieces) == 1:
        return (join(pieces),)

    def cost(cut: int) -> float:
        above, below = line_columns(pieces[:cut]), line_columns(pieces[cut:])
        over = max(0, above - MAX_LINE) + max(0, below - MAX_LINE)
        gain = 8 if pieces[cut - 1].text[-1] in ",;:.?!…、。，：；？！" else 0  # noqa: RUF001
        return 1000 * over + abs(above - below) - gain

    cut = min(range(1, len(pieces)), key=cost)
    return join(pieces[:cut]), join(pieces[cut:])
