"""Marks: parts of a text that an engine must not touch, and their way through an engine.

A mark is a placeholder, a glossary term or a tag. On the way to the engine it is replaced by a
marker that engines leave alone; on the way back each marker must be there exactly once, or the
translation is not used and the text between the marks is translated piece by piece instead.
Nothing that is marked can be lost.

Markers were chosen by trial over 39 spellings (Bergamot's English-Portuguese models have no sign
for braces, angle brackets, ``@`` or ``§``): ``XQ1`` is carried along like a name, and ``(1)``
leaves the words around it as they would be without it, which is what tags need. Where tags stand
thickly ``(1)`` gets lost more often (1 sentence in 4), and ``XQ1`` is the second choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

_SPACES = re.compile(r"\s+")
# Invisible: soft hyphen, zero-width space, byte order mark. Joiners carry meaning and stay.
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0xFEFF))
# Letters of scripts that set words apart by spaces: Latin, Greek, Cyrillic, Armenian, Hebrew.
_WORD_END = re.compile(r"[A-Za-z\u00c0-\u05ff]+\Z")
_WORD_START = re.compile(r"[A-Za-z\u00c0-\u05ff]+")
_LONGEST_WORD = 40
_VALUE_NAMES = re.compile(r"XQ(\d{1,6})", re.IGNORECASE | re.ASCII)
_TAG_NAMES = re.compile(r"\((\d{1,6})\)", re.ASCII)
_CLOSING = frozenset(",.;:!?)]}»”’…%")
_OPENING = frozenset("([{«“‘¿¡")


class Kind(Enum):
    """What a mark stands for."""

    VALUE = "value"
    """Takes the place of a word: a placeholder, a term, a piece of code."""
    OPEN = "open"
    """Opens an element around words."""
    CLOSE = "close"
    """Closes one."""
    POINT = "point"
    """Stands between words: an image, a comment, a tag without a partner."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A part of a text, by its offsets.

    ``output`` stands in the finished text, escaped where that is called for; None for the part as
    it was written. ``element`` is the same for the two tags of an element, 0 where there is none.
    ``decoration`` marks are left out of what the engine sees where they stand at an end (emoji).
    """

    start: int
    end: int
    kind: Kind
    output: str | None = None
    element: int = 0
    decoration: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """One marker and the neighbouring marks that it stands for."""

    marker: str
    marks: tuple[Mark, ...]
    output: str
    before: str
    """The character before it in the original, empty at the beginning."""
    after: str

    @property
    def is_tag(self) -> bool:
        """Whether it stands between words rather than for one."""
        return all(mark.kind is not Kind.VALUE for mark in self.marks)

    def padded(self) -> str:
        """The marker set apart from words: a value from letters, a tag from all but punctuation."""
        if self.is_tag:
            left, right = self.before not in _OPENING, self.after not in _CLOSING
        else:
            left, right = self.before.isalnum(), self.after.isalnum()
        return f"{' ' * left}{self.marker}{' ' * right}"


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence as the engine sees it, and its slots in order."""

    text: str
    slots: tuple[Slot, ...]


def plain(text: str) -> str:
    """Text as engines take it: invisible characters dropped, white space single."""
    return _SPACES.sub(" ", text.translate(_INVISIBLE)).strip()


def group(marks: Iterable[Mark]) -> list[list[Mark]]:
    """Marks in runs that share a marker: those that touch."""
    runs: list[list[Mark]] = []
    for mark in marks:
        if runs and runs[-1][-1].end == mark.start:
            runs[-1].append(mark)
        else:
            runs.append([mark])
    return runs


def encode(
    text: str,
    start: int,
    end: int,
    runs: Sequence[Sequence[Mark]],
    written: Callable[[int, int], str],
    *,
    named_tags: bool = False,
) -> Template:
    """The part of ``text`` from ``start`` to ``end`` with a marker for each run of marks.

    ``written`` gives a part of the text as its document spells it. ``named_tags`` has tags look
    like names too: engines lose those less often, but bend the words around them.
    """
    if not runs:
        return Template(plain(text[start:end]), ())
    pieces, at = [], start
    for run in runs:
        pieces.append(text[at : run[0].start])
        at = run[-1].end
    words = "".join((*pieces, text[at:end]))
    names = _Names(text[start:end])
    slots: list[Slot] = []
    parts: list[str] = []
    offset = done = 0
    for piece, run in zip(pieces, runs, strict=True):
        offset += len(piece)
        place = max(done, _outside_word(words, offset, run))
        value = any(mark.kind is Kind.VALUE for mark in run)
        slot = Slot(
            marker=names.value() if value or named_tags else names.tag(),
            marks=tuple(run),
            output=_output(run, written),
            before=words[place - 1 : place] if place else "",
            after=words[place : place + 1],
        )
        slots.append(slot)
        parts += (words[done:place], slot.padded())
        done = place
    parts.append(words[done:])
    return Template(plain("".join(parts)), tuple(slots))


def _outside_word(words: str, offset: int, run: Sequence[Mark]) -> int:
    """Where a marker goes: a tag inside a word moves to that word's border.

    ``un<b>believ</b>able`` is one word to the engine, and it comes back with the tags around it.
    """
    if any(mark.kind is Kind.VALUE for mark in run):
        return offset
    head = _WORD_END.search(words, max(0, offset - _LONGEST_WORD), offset)
    tail = _WORD_START.match(words, offset, offset + _LONGEST_WORD)
    if not head or not tail:
        return offset
    return head.start() if run[0].kind is Kind.OPEN else tail.end()


def decode(translation: str, template: Template, escape: Callable[[str], str] = str) -> str | None:
    """``translation`` with its markers replaced by what they stand for.

    Returns:
        The finished sentence, or None when a marker is missing, doubled, or when tags would not
        enclose what they should.
    """
    if not template.slots:
        return escape(translation.strip())
    found = _locate(translation, template)
    if found is None:
        return None
    order = [slot for _, _, slot in found]
    texts = []
    at = 0
    for start, end, _ in found:
        texts.append(translation[at:start])
        at = end
    texts.append(translation[at:])
    if not _encloses_well(template, order, texts):
        return None
    return _join(texts, order, escape)


def _output(run: Sequence[Mark], written: Callable[[int, int], str]) -> str:
    """What a run stands for."""
    return "".join(
        written(mark.start, mark.end) if mark.output is None else mark.output for mark in run
    )


class _Names:
    """Markers that do not occur in a text: ``XQ1``, ``XQ2`` for values, ``(1)``, ``(2)`` for tags.

    Where the text itself holds such a thing, counting starts behind it.
    """

    def __init__(self, text: str) -> None:
        self._values = _highest(_VALUE_NAMES, text)
        self._tags = _highest(_TAG_NAMES, text)

    def value(self) -> str:
        self._values += 1
        return f"XQ{self._values}"

    def tag(self) -> str:
        self._tags += 1
        return f"({self._tags})"


def _highest(pattern: re.Pattern[str], text: str) -> int:
    return max(map(int, pattern.findall(text)), default=0)


def _locate(translation: str, template: Template) -> list[tuple[int, int, Slot]] | None:
    """Where each marker stands, in the order of the translation; None unless each is there once."""
    found = []
    for slot in template.slots:
        name = re.escape(slot.marker)
        if slot.marker[0] != "(":
            name = rf"(?<![^\W_]){name}(?![^\W_])"
        places = [m.span() for m in re.finditer(name, translation, re.IGNORECASE)]
        if len(places) != 1:
            return None
        found.append((*places[0], slot))
    return sorted(found, key=lambda place: place[:2])


def _encloses_well(template: Template, order: Sequence[Slot], texts: Sequence[str]) -> bool:
    """Whether elements nest as they did, and none that held words is empty now."""
    events = [mark for slot in order for mark in slot.marks]
    before = [mark for slot in template.slots for mark in slot.marks]
    if events != before and _parents(events) != _parents(before):
        return False
    return _filled(template.slots, _texts_of(template)) <= _filled(order, texts)


def _texts_of(template: Template) -> list[str]:
    """The engine's text between the slots."""
    texts = []
    rest = template.text
    for slot in template.slots:
        text, _, rest = rest.partition(slot.marker)
        texts.append(text)
    return [*texts, rest]


def _parents(marks: Iterable[Mark]) -> dict[int, int | None] | None:
    """The element around each one; None when tags cross. Closing what opened earlier counts."""
    parents: dict[int, int | None] = {}
    stack: list[int] = []
    outside = 0
    for mark in marks:
        if mark.kind is Kind.OPEN:
            parents[mark.element] = stack[-1] if stack else -outside
            stack.append(mark.element)
        elif mark.kind is Kind.CLOSE:
            if stack and stack[-1] == mark.element:
                stack.pop()
            elif stack or mark.element in parents:
                return None
            else:  # Opened before this sentence: these keep their order.
                outside += 1
                parents[mark.element] = -outside
    return parents


def _filled(slots: Sequence[Slot], texts: Sequence[str]) -> set[int]:
    """Elements with words or values between their two tags."""
    filled: set[int] = set()
    open_: list[int] = []
    for slot, text in zip(slots, texts, strict=False):
        if any(char.isalnum() for char in text):
            filled.update(open_)
        for mark in slot.marks:
            if mark.kind is Kind.OPEN:
                open_.append(mark.element)
            elif mark.kind is Kind.CLOSE and mark.element in open_:
                open_.remove(mark.element)
            elif mark.kind is Kind.VALUE:
                filled.update(open_)
    if texts and any(char.isalnum() for char in texts[-1]):
        filled.update(open_)
    return filled


def _join(texts: Sequence[str], slots: Sequence[Slot], escape: Callable[[str], str]) -> str:
    """Texts and the outputs of slots, with the spaces around them as they were in the original."""
    parts = [escape(_spaced(texts[0], None, slots[0] if slots else None))]
    for index, slot in enumerate(slots):
        follower = slots[index + 1] if index + 1 < len(slots) else None
        parts += (slot.output, escape(_spaced(texts[index + 1], slot, follower)))
    return "".join(parts)


def _spaced(text: str, before: Slot | None, after: Slot | None) -> str:
    """The text between two slots with the spaces that belong at its ends."""
    core = text.strip()
    if not core:
        return " " if text and before and after and before.after.isspace() else ""
    left = " " * (before is not None and _space_behind(before, text, core))
    right = " " * (after is not None and _space_ahead(after, text, core))
    return f"{left}{core}{right}"


def _space_behind(slot: Slot, text: str, core: str) -> bool:
    """Whether a space stands between a slot and the text behind it."""
    if not slot.is_tag:
        return text[0].isspace() and not slot.after.isalnum()
    if slot.after.isspace():
        return core[0] not in _CLOSING
    # Words moved: a tag that closed before a comma must not grow together with the next word.
    closes = any(mark.kind is not Kind.OPEN for mark in slot.marks)
    return closes and core[0].isalnum() and text[0].isspace() and not slot.after.isalnum()


def _space_ahead(slot: Slot, text: str, core: str) -> bool:
    """Whether a space stands between a slot and the text before it."""
    if not slot.is_tag:
        return text[-1].isspace() and not slot.before.isalnum()
    if slot.before.isspace():
        return core[-1] not in _OPENING
    opens = any(mark.kind is Kind.OPEN for mark in slot.marks)
    return opens and core[-1].isalnum() and text[-1].isspace() and not slot.before.isalnum()
