"""What stands around a sentence, for engines that can make use of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech_translator.text.marks import plain
from speech_translator.text.units import HIDDEN

MAX_CONTEXT_CHARS = 300
"""Characters before a sentence that are handed on with it."""


@dataclass(frozen=True, slots=True)
class Hint:
    """About one sentence: ``glossary`` pairs its markers with terms, ``context`` precedes it."""

    glossary: tuple[tuple[str, str], ...] = ()
    context: str = ""


@dataclass(slots=True)
class Hints:
    """A hint for each sentence of the latest batch, in order."""

    latest: list[Hint] = field(default_factory=list)


def context_before(text: str, start: int) -> str:
    """The end of what precedes a sentence, from a word on; empty at the beginning."""
    begin = max(0, start - MAX_CONTEXT_CHARS)
    before = text[begin:start]
    if begin and not text[begin - 1].isspace():
        before = before.partition(" ")[2]
    return plain(before.replace(HIDDEN, " "))
