"""HTML by offsets: the stretches of a document that are translated, and where they stand.

Nothing is parsed into a tree and written out again: what is not translated is never touched.
Linear in the document.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import count

from speech_translator.errors import InvalidMarkup
from speech_translator.text.marks import Kind
from speech_translator.text.markup_tokens import Token, TokenKind, tokenize
from speech_translator.text.units import HIDDEN, Unit, UnitBuilder

MAX_DEPTH = 256
"""Deepest nesting of elements; browsers stop at 512."""

_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")
_SPACE = re.compile(r"\s")
_ATTRIBUTE = re.compile(
    r"""
    (?P<name>[^\s/>=][^\s/>=]*+)
    (?: \s*+ = \s*+
        (?: "(?P<double>[^"]*+)" | '(?P<single>[^']*+)' | (?P<bare>[^\s>"'][^\s>]*+) )
    )?+
    """,
    re.VERBOSE,
)
_SPOKEN_ATTRIBUTES = frozenset({"alt", "title", "placeholder", "aria-label"})
# Only tags with one of these words are searched for attributes.
_WORTH_A_LOOK = re.compile(r"translate|alt|title|placeholder|aria-label", re.IGNORECASE)


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_INLINE = _names(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label mark "
    "nobr output q s samp small span strike strong sub sup time tt u var wbr svg math "
    "script style ruby rb rt rp"
)
_UNTRANSLATED = _names("code kbd samp var pre svg math object applet canvas")
# An element that ends where another one of these begins (HTML standard, 13.1.2.4).
_IMPLIED_END = {
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "tr": frozenset({"tr", "td", "th"}),
    "td": frozenset({"td", "th"}),
    "th": frozenset({"td", "th"}),
    "option": frozenset({"option"}),
    "optgroup": frozenset({"option", "optgroup"}),
    "tbody": frozenset({"tbody", "thead", "tr", "td", "th"}),
    "tfoot": frozenset({"tbody", "thead", "tr", "td", "th"}),
}
_P = frozenset({"p"})


def escape(text: str) -> str:
    """Text for an HTML document, outside of attributes."""
    return html.escape(text, quote=False)


def units(source: str) -> list[Unit]:
    """The stretches of a document that are translated on their own, in order.

    Raises:
        InvalidMarkup: elements are nested more than ``MAX_DEPTH`` deep.
    """
    return _walk(source)[0]


def attributes(source: str) -> list[Unit]:
    """The values of attributes that readers see: ``alt``, ``title``, ``placeholder`` and the like.

    Raises:
        InvalidMarkup: elements are nested more than ``MAX_DEPTH`` deep.
    """
    return _walk(source)[1]


def visible(source: str) -> str:
    """What readers see of a document that is to be translated; spaces and line ends for markup.

    Raises:
        InvalidMarkup: elements are nested more than ``MAX_DEPTH`` deep.
    """
    seen, hovered = _walk(source)
    return "\n".join(unit.text.replace(HIDDEN, " ") for unit in (*seen, *hovered))


def _walk(source: str) -> tuple[list[Unit], list[Unit]]:
    walker = _Walker(source)
    finished = [walker.step(token) for token in tokenize(source)]
    finished.append(walker.flush())
    return [unit for unit in finished if unit is not None], walker.attributes


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element. ``translated`` says whether its text is."""

    name: str
    id: int
    translated: bool
    inline: bool


class _Walker:
    """Follows the open elements and gathers units between the borders of blocks.

    ``attributes`` are units of their own, inside of tags.
    """

    def __init__(self, source: str) -> None:
        self.attributes: list[Unit] = []
        self._source = source
        self._open: list[_Element] = []
        self._ids = count(1)
        self._builder: UnitBuilder | None = None

    @property
    def _translated(self) -> bool:
        return self._open[-1].translated if self._open else True

    def step(self, token: Token) -> Unit | None:
        """Take one token; a unit when one ended before it."""
        if token.kind is TokenKind.TEXT:
            self._text(token)
            return None
        if token.kind is TokenKind.OPEN:
            return self._start(token)
        if token.kind is TokenKind.CLOSE:
            return self._end(token)
        translated = self._translated
        if token.kind is TokenKind.EMPTY:
            self._read_attributes(token, translated=translated)
        if not translated:
            self._mark(Kind.VALUE, token)
        elif token.name and token.name not in _INLINE:
            return self.flush()
        else:
            self._mark(Kind.POINT, token)
        return None

    def flush(self) -> Unit | None:
        """End the unit that is being gathered."""
        builder, self._builder = self._builder, None
        return builder.build() if builder else None

    def _text(self, token: Token) -> None:
        if not self._translated:
            self._mark(Kind.VALUE, token)
            return
        self._add_text(self._gathering(), token.start, token.end)

    def _add_text(self, builder: UnitBuilder, start: int, end: int) -> None:
        """Text with its entities decoded."""
        for entity in _ENTITY.finditer(self._source, start, end):
            builder.add_text(self._read(start, entity.start()), start, entity.start())
            builder.add_text(_spaced(html.unescape(entity[0])), *entity.span())
            start = entity.end()
        builder.add_text(self._read(start, end), start, end)

    def _read(self, start: int, end: int) -> str:
        return _spaced(self._source[start:end])

    def _gathering(self) -> UnitBuilder:
        self._builder = self._builder or UnitBuilder(self._source, escape)
        return self._builder

    def _mark(self, kind: Kind, token: Token, element: int = 0) -> None:
        self._gathering().add_mark(kind, token.start, token.end, element)

    def _start(self, token: Token) -> Unit | None:
        self._imply_ends(token.name)
        inside_kept = not self._translated
        element = self._element(token)
        self._open.append(element)
        if len(self._open) > MAX_DEPTH:
            raise InvalidMarkup(
                f"The HTML is nested more than {MAX_DEPTH} elements deep.", max_depth=MAX_DEPTH
            )
        if not element.translated and (inside_kept or element.inline):
            self._mark(Kind.VALUE, token)
        elif element.inline:
            self._mark(Kind.OPEN, token, element.id)
        else:
            return self.flush()
        return None

    def _element(self, token: Token) -> _Element:
        translated = self._translated and token.name not in _UNTRANSLATED
        translated = self._read_attributes(token, translated=translated)
        return _Element(token.name, next(self._ids), translated, token.name in _INLINE)

    def _read_attributes(self, token: Token, *, translated: bool) -> bool:
        """Gather the attributes that readers see; whether the element's text is translated."""
        if not _WORTH_A_LOOK.search(self._source, token.start, token.end):
            return translated
        spoken: list[tuple[int, int]] = []
        for found in _ATTRIBUTE.finditer(
            self._source, token.start + 1 + len(token.name), token.end - 1
        ):
            name, group = found["name"].lower(), found.lastgroup or "name"
            value = found[group].lower() if group != "name" else ""
            if name == "translate":
                translated = value != "no"
            elif name == "class" and "notranslate" in value.split():
                translated = False
            elif name in _SPOKEN_ATTRIBUTES and group in {"double", "single"}:
                spoken.append(found.span(group))
        if translated:
            self.attributes += [self._attribute(start, end) for start, end in spoken]
        return translated

    def _attribute(self, start: int, end: int) -> Unit:
        builder = UnitBuilder(self._source, html.escape)
        self._add_text(builder, start, end)
        return builder.build()

    def _imply_ends(self, name: str) -> None:
        """Close what ends without a tag of its own where ``name`` begins."""
        ends = _IMPLIED_END.get(name, frozenset() if name in _INLINE else _P)
        while self._open and self._open[-1].name in ends:
            self._open.pop()

    def _end(self, token: Token) -> Unit | None:
        element = self._close(token.name)
        kept = not (element.translated if element else self._translated)
        inline = element.inline if element else token.name in _INLINE
        if kept and (inline or not self._translated):
            self._mark(Kind.VALUE, token)
        elif inline:
            kind = Kind.CLOSE if element else Kind.POINT
            self._mark(kind, token, element.id if element else 0)
        else:
            return self.flush()
        return None

    def _close(self, name: str) -> _Element | None:
        """Pop up to the innermost open element of this name; None when there is none."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index].name == name:
                element = self._open[index]
                del self._open[index:]
                return element
        return None


def _spaced(text: str) -> str:
    """Text with all white space as plain spaces: in HTML a line break is none."""
    return _SPACE.sub(" ", text)
