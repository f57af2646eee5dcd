"""Where sentences begin and end among the marks of a text. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Sequence

from speech_translator.text.marks import Kind, Mark

_MASK = "X"


class View:
    """What sentence splitting sees of a unit: no tags, and letters in place of placeholders.

    ``at`` holds for each character of ``text`` where it is in the unit.
    """

    def __init__(self, text: str, marks: Sequence[Mark]) -> None:
        parts: list[str] = []
        self.at = array("q")
        at = 0
        for mark in marks:
            parts.append(text[at : mark.start])
            self.at.extend(range(at, mark.start))
            if mark.kind is Kind.VALUE:
                parts.append(_MASK * (mark.end - mark.start))
                self.at.extend(range(mark.start, mark.end))
            at = mark.end
        parts.append(text[at:])
        self.at.extend(range(at, len(text)))
        self.text = "".join(parts)


class Borders:
    """Where a sentence begins and ends among the marks of its unit."""

    def __init__(self, text: str, marks: Sequence[Mark]) -> None:
        self._text = text
        self._marks = marks
        self._starts = [mark.start for mark in marks]
        self._ends = [mark.end for mark in marks]

    def around(self, start: int, end: int) -> tuple[int, int, list[Mark]] | None:
        """Offsets of a sentence and the marks within; None when only decoration is left.

        A tag beside the sentence is taken in when its partner is within, so that both find
        their words again. Emoji at the ends are left out.
        """
        first, last = bisect_left(self._starts, start), bisect_right(self._ends, end)
        inside = deque(self._marks[first:last])
        elements = Counter(mark.element for mark in inside if mark.element)
        start = self._widened(start, first, -1, elements, inside)
        end = self._widened(end, last - 1, 1, elements, inside)
        start, end = self._bare(start, end, inside)
        return (start, end, list(inside)) if start < end else None

    def _widened(
        self, border: int, index: int, step: int, elements: Counter[int], inside: deque[Mark]
    ) -> int:
        """The border behind the farthest neighbouring tag whose partner is within."""
        passed: list[Mark] = []
        reach = border
        while 0 <= (index := index + step) < len(self._marks):
            mark = self._marks[index]
            gap = self._text[mark.end : reach] if step < 0 else self._text[reach : mark.start]
            if mark.kind is Kind.VALUE or (gap and not gap.isspace()):
                break
            reach = mark.start if step < 0 else mark.end
            passed.append(mark)
            if elements[mark.element] == 1 and mark.element:
                border = reach
                for one in passed:
                    elements[one.element] += 1
                    (inside.appendleft if step < 0 else inside.append)(one)
                passed.clear()
        return border

    def _bare(self, start: int, end: int, inside: deque[Mark]) -> tuple[int, int]:
        """The sentence without emoji at its ends and without tags around the whole of it."""
        while True:
            words = self._text[start : inside[0].start if inside else end]
            start += len(words) - len(words.lstrip())
            words = self._text[inside[-1].end if inside else start : end]
            end -= len(words) - len(words.rstrip())
            if inside and inside[0].decoration and inside[0].start == start:
                start = inside.popleft().end
            elif inside and inside[-1].decoration and inside[-1].end == end:
                end = inside.pop().start
            elif (
                len(inside) > 1
                and (inside[0].start, inside[-1].end) == (start, end)
                and inside[0].kind is Kind.OPEN
                and inside[0].element == inside[-1].element
            ):
                start, end = inside.popleft().end, inside.pop().start
            else:
                return start, end
