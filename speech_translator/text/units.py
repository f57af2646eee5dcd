"""Units of a document: stretches of text that are translated on their own, by offsets."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

from speech_translator.text.marks import Kind, Mark


@dataclass(slots=True)
class Unit:
    """A stretch of a document: a whole plain text, or the inside of one HTML block.

    ``text`` is what a reader sees, with one ``HIDDEN`` character for each tag; ``marks`` are those
    tags. ``at`` holds for each character where it starts in the document, and the end of the
    unit behind the last one, so that any part can be looked up as it was written.
    """

    source: str
    text: str
    at: array[int]
    marks: list[Mark] = field(default_factory=list)
    escape: Callable[[str], str] = str

    def written(self, start: int, end: int) -> str:
        """The document's own spelling of a part of ``text``."""
        return self.source[self.at[start] : self.at[end]]


HIDDEN = "\ufdd0"
"""Stands for a tag in a unit's text. A noncharacter; where a text holds one it does no harm."""


def plain_unit(text: str) -> Unit:
    """All of a plain text."""
    return Unit(text, text, array("q", range(len(text) + 1)))


class UnitBuilder:
    """Collects the text and the tags of one unit, left to right and without gaps."""

    def __init__(self, source: str, escape: Callable[[str], str]) -> None:
        self._source = source
        self._escape = escape
        self._text: list[str] = []
        self._at = array("q")
        self._marks: list[Mark] = []
        self._end = 0

    def add_text(self, decoded: str, start: int, end: int) -> None:
        """Text as a reader sees it, written at ``start`` to ``end``.

        An entity that stands for several characters belongs to the first of them.
        """
        if len(decoded) == end - start:
            self._at.extend(range(start, end))
        elif decoded:
            self._at.append(start)
            self._at.extend([end] * (len(decoded) - 1))
        self._text.append(decoded)
        self._end = end

    def add_mark(self, kind: Kind, start: int, end: int, element: int = 0) -> None:
        """A tag, comment, or anything else that is kept as it is written."""
        position = len(self._at)
        self._at.append(start)
        self._text.append(HIDDEN)
        self._marks.append(Mark(position, position + 1, kind, element=element))
        self._end = end

    def build(self) -> Unit:
        """The unit; the builder is not to be used again."""
        self._at.append(self._end)
        return Unit(self._source, "".join(self._text), self._at, self._marks, self._escape)
