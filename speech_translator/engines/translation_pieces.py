"""Lists of sentencepiece pieces on their way into a translation model and out of it. Pure.

What is too long for a model is cut, because CTranslate2 would drop the rest without a word; and a
decode that went in circles is told from a text that repeats itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech_translator.engines.translation_families import WORD_START
from speech_translator.languages import Language

_CLAUSE_ENDS = tuple(",;:.!?،؛。、\uff0c\uff1b\uff1a\uff01\uff1f।")
_UNSPACED_SCRIPTS = frozenset(["Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"])
_LONGEST_CYCLE = 8
_TOLERATED_REPEATS = 3


def cut(pieces: Sequence[str], limit: int) -> list[list[str]]:
    """Runs of at most ``limit`` pieces: cut after a clause, else before a word, else anywhere.

    Args:
        pieces: of one sentence.
        limit: at least 2.
    """
    parts: list[list[str]] = []
    at = 0
    while len(pieces) - at > limit:
        end = _cut_before(pieces, at + limit // 2, at + limit)
        parts.append(list(pieces[at:end]))
        at = end
    parts.append(list(pieces[at:]))
    return parts


def _cut_before(pieces: Sequence[str], low: int, high: int) -> int:
    """Where to cut: after ``low`` pieces and at most ``high``, as late as possible."""
    clause = word = 0
    for index in range(low + 1, high + 1):
        ended = pieces[index - 1].endswith(_CLAUSE_ENDS)
        if pieces[index].startswith(WORD_START):
            word = index
            clause = index if ended else clause
        elif ended and not pieces[index - 1].isascii():
            clause = index  # where no spaces are written, a clause's end stands alone
    return clause or word or high


def joint(target: str) -> str:
    """What stands between two parts of a sentence in a language."""
    return "" if Language.parse(target).script in _UNSPACED_SCRIPTS else " "


@dataclass(frozen=True, slots=True)
class Cycle:
    """Something that comes again directly after itself."""

    repeats: int
    """How often it comes again; 0 where nothing does."""
    end: int
    """Where it ends for the first time."""


def cycle(pieces: Sequence[str]) -> Cycle:
    """What is repeated most often, of up to eight pieces."""
    most = Cycle(0, len(pieces))
    for size in range(1, min(_LONGEST_CYCLE, len(pieces) // 2) + 1):
        same = 0
        for index in range(size, len(pieces)):
            same = same + 1 if pieces[index] == pieces[index - size] else 0
            if same // size > most.repeats:
                most = Cycle(same // size, index + 1 - same)
    return most


def is_loop(translation: Sequence[str], source: Sequence[str]) -> bool:
    """Whether a translation repeats itself much more than what it translates."""
    return cycle(translation).repeats > cycle(source).repeats + _TOLERATED_REPEATS
