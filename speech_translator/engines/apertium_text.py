"""What stands around one call to Apertium: its marks, its spaces, its capitals. Pure.

Apertium writes ``*word`` for a word that it does not know, ``@word`` for one that its dictionary
of the pair lacks and ``#word`` for one that it cannot inflect. APy's own ``markUnknown=no`` takes
only the asterisks away, and with them those that the text had itself. Here the text's own signs
travel as characters of the Private Use Area, which Apertium passes on as punctuation, so that
every sign in the answer is a mark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKS = "*@#"
_PRIVATE_USE = range(0xE000, 0xF900)
_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)
_MANY_SPACES = re.compile(r" {2,}")
_SPACE_BEFORE = re.compile(r" +([,.;:!?…])")
# A NUL ends a message in Apertium's stream; the other control characters have no business in it.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LETTERS_OF_SHOUTING = 2


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text as it is sent, and what is needed to finish the answer."""

    sent: str
    original: str
    before: str
    after: str
    signs: tuple[tuple[str, str], ...]

    def finish(self, answer: str) -> str:
        """The translation: marks taken away, signs and white space as the text had them."""
        found = re.sub(f"[{_MARKS}]", "", answer).strip()
        if "  " not in self.original:  # a dropped pronoun leaves its space behind
            found = _MANY_SPACES.sub(" ", found)
        if not _SPACE_BEFORE.search(self.original):
            found = _SPACE_BEFORE.sub(r"\1", found)
        if self.original.endswith(".") and not self.original.endswith(".."):
            found = re.sub(r"\.{2,}$", ".", found)
        for stand_in, sign in self.signs:
            found = found.replace(stand_in, sign)
        return f"{self.before}{_cased(self.original, found)}{self.after}"


def prepare(text: str) -> Prepared:
    """``text`` without its outer white space, its own signs replaced."""
    match = _EDGES.fullmatch(_CONTROLS.sub(" ", text))
    assert match is not None  # noqa: S101 - every part of the pattern may be empty
    before, core, after = match.groups()
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in core)
    signs = tuple((next(free), sign) for sign in _MARKS if sign in core)
    sent = core
    for stand_in, sign in signs:
        sent = sent.replace(sign, stand_in)
    return Prepared(sent, core, before, after, signs)


def parts(text: str, limit: int) -> list[str]:
    """``text`` in pieces of at most ``limit`` characters, cut at white space where there is any."""
    pieces = []
    while len(text) > limit:
        cut = max(text.rfind(" ", limit // 2, limit), text.rfind("\n", limit // 2, limit)) + 1
        cut = cut or limit
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def _cased(original: str, translation: str) -> str:
    """``translation`` in capitals where the original is, and with its first one."""
    letters = [char for char in original if char.isalpha()]
    if len(letters) >= _LETTERS_OF_SHOUTING and original.isupper():
        return translation.upper()
    if original[:1].isupper() and translation[:1].islower():
        return translation[:1].upper() + translation[1:]
    return translation
