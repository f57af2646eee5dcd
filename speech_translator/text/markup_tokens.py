"""HTML as tokens, by offsets: where tags, comments and text begin and end.

Follows the HTML standard's tokenization (13.2.5) as far as finding tags goes, and forgives what
browsers forgive. Linear in the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


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
_VOID = frozenset(
    [
        *("area", "base", "basefont", "br", "col", "embed", "frame", "hr", "img", "input"),
        *("link", "meta", "param", "source", "track", "wbr"),
    ]
)
_RAW_TEXT = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "xmp", "iframe", "noembed", "noframes")
}


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
