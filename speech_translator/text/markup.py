"""HTML by offsets: the stretches of a document that are translated, and where they stand.

Nothing is parsed into a tree and written out again: what is not translated is never touched. The
tokenizer follows the HTML standard's tokenization (13.2.5) as far as finding tags goes, and
forgives what browsers forgive. Both are linear in the document.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count

from speech_translator.errors import InvalidMarkup
from speech_translator.text.marks import Kind
from speech_translator.text.units import Unit, UnitBuilder

MAX_DEPTH = 256
"""Deepest nesting of elements; browsers stop at 512."""


class TokenKind(Enum):
    """What the tokenizer tells apart."""

    TEXT = "text"
    OPEN = "open"
    CLOSE = "close"
    EMPTY = "empty"
    """A tag without content: a void element, or one written ``<x/>``."""
    RAW = "raw"
    """Comments, declarations, and all of a script, style or textarea."""


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a document, by its offsets; ``name`` is that of the element in lower case."""

    kind: TokenKind
    start: int
    end: int
    name: str = ""


# Every repetition is possessive: a tag that does not end is found out in one pass.
_TAG = re.compile(
    r"""
    <(?P<slash>/?)(?P<name>[A-Za-z][^\s/>]*+)
    (?: [\s/]++
      | [^\s/>=][^\s/>=]*+ (?: \s*+ = \s*+ (?: "[^"]*+" | '[^']*+' | [^\s>"'][^\s>]*+ ) )?+
      | [^>]
    )*+
    >""",
    re.VERBOSE,
)
_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")
_SPACE = re.compile(r"\s")
_KEPT = re.compile(
    r"""\stranslate\s*=\s*["']?(?P<translate>no|yes)\b"""
    r"""|\sclass\s*=\s*(?:"[^"]*?|'[^']*?)?(?<![\w-])(?P<class>notranslate)(?![\w-])""",
    re.IGNORECASE,
)


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_VOID = _names(
    "area base br col embed hr img input link meta param source track wbr basefont frame"
)
_RAW_TEXT = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "xmp", "iframe", "noembed", "noframes")
}
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


def tokenize(source: str) -> Iterator[Token]:
    """All of ``source`` as tokens, without gaps."""
    at = 0
    while at < len(source):
        opening = _next_markup(source, at)
        if opening > at:
            yield Token(TokenKind.TEXT, at, opening)
        if opening == len(source):
            return
        token = _markup(source, opening)
        yield token
        at = token.end
        if token.kind is TokenKind.OPEN and token.name in _RAW_TEXT:
            closing = _RAW_TEXT[token.name].search(source, at)
            end = closing.start() if closing else len(source)
            if end > at:
                yield Token(TokenKind.RAW, at, end, token.name)
            at = end


def _next_markup(source: str, at: int) -> int:
    """Where the next tag, comment or declaration begins; the end of the document if none does."""
    while (at := source.find("<", at)) >= 0:
        follower = source[at + 1 : at + 3]
        if follower[:1] in ("!", "?", "/") or (follower[:1].isascii() and follower[:1].isalpha()):
            return at
        at += 1
    return len(source)


def _markup(source: str, at: int) -> Token:
    """The tag, comment or declaration at an offset; one that does not end takes all the rest."""
    if source.startswith("<!--", at):
        # "<!-->" and "<!--->" are whole comments.
        close = source.find("-->", at + 2)
        return Token(TokenKind.RAW, at, close + 3 if close >= 0 else len(source))
    tag = _TAG.match(source, at)
    if tag is None:
        close = source.find(">", at)
        return Token(TokenKind.RAW, at, close + 1 if close >= 0 else len(source))
    name = tag["name"].lower()
    if tag["slash"]:
        kind = TokenKind.CLOSE
    elif name in _VOID or (source[tag.end() - 2] == "/" and name not in _RAW_TEXT):
        kind = TokenKind.EMPTY
    else:
        kind = TokenKind.OPEN
    return Token(kind, at, tag.end(), name)


def escape(text: str) -> str:
    """Text for an HTML document, outside of attributes."""
    return html.escape(text, quote=False)


def units(source: str) -> Iterator[Unit]:
    """The stretches of a document that are translated on their own, in order.

    Raises:
        InvalidMarkup: elements are nested more than ``MAX_DEPTH`` deep.
    """
    walker = _Walker(source)
    for token in tokenize(source):
        finished = walker.step(token)
        if finished is not None:
            yield finished
    finished = walker.flush()
    if finished is not None:
        yield finished


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element. ``translated`` says whether its text is."""

    name: str
    id: int
    translated: bool
    inline: bool


class _Walker:
    """Follows the open elements and gathers units between the borders of blocks."""

    def __init__(self, source: str) -> None:
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
        if token.name and token.name not in _INLINE:
            return self.flush()
        self._mark(Kind.POINT if self._translated else Kind.VALUE, token)
        return None

    def flush(self) -> Unit | None:
        """End the unit that is being gathered."""
        builder, self._builder = self._builder, None
        return builder.build() if builder else None

    def _text(self, token: Token) -> None:
        if not self._translated:
            self._mark(Kind.VALUE, token)
            return
        builder = self._gathering()
        at = token.start
        for entity in _ENTITY.finditer(self._source, token.start, token.end):
            builder.add_text(self._read(at, entity.start()), at, entity.start())
            builder.add_text(_spaced(html.unescape(entity[0])), *entity.span())
            at = entity.end()
        builder.add_text(self._read(at, token.end), at, token.end)

    def _read(self, start: int, end: int) -> str:
        return _spaced(self._source[start:end])

    def _gathering(self) -> UnitBuilder:
        self._builder = self._builder or UnitBuilder(self._source, escape)
        return self._builder

    def _mark(self, kind: Kind, token: Token, element: int = 0) -> None:
        self._gathering().add_mark(kind, token.start, token.end, element)

    def _start(self, token: Token) -> Unit | None:
        self._imply_ends(token.name)
        element = self._element(token)
        finished = None if element.inline else self.flush()
        if not element.translated:
            self._mark(Kind.VALUE, token)
        elif element.inline:
            self._mark(Kind.OPEN, token, element.id)
        self._open.append(element)
        if len(self._open) > MAX_DEPTH:
            raise InvalidMarkup(
                f"The HTML is nested more than {MAX_DEPTH} elements deep.", max_depth=MAX_DEPTH
            )
        return finished

    def _element(self, token: Token) -> _Element:
        translated = self._translated and token.name not in _UNTRANSLATED
        for found in _KEPT.finditer(self._source, token.start, token.end):
            translated = (found["translate"] or "no").lower() == "yes"
        return _Element(token.name, next(self._ids), translated, token.name in _INLINE)

    def _imply_ends(self, name: str) -> None:
        """Close what ends without a tag of its own where ``name`` begins."""
        ends = _IMPLIED_END.get(name, frozenset() if name in _INLINE else _P)
        while self._open and self._open[-1].name in ends:
            self._open.pop()

    def _end(self, token: Token) -> Unit | None:
        element = self._close(token.name)
        inline = element.inline if element else token.name in _INLINE
        finished = None if inline else self.flush()
        if not (element.translated if element else self._translated):
            self._mark(Kind.VALUE, token)
        elif inline:
            kind = Kind.CLOSE if element else Kind.POINT
            self._mark(kind, token, element.id if element else 0)
        return finished

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
