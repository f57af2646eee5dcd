"""Whether a text or a glossary may be worked on at all."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from speech_translator.errors import EmptyText, InvalidGlossary, InvalidText, TextTooLong

MAX_TERM_CHARS = 200
"""Longest glossary term, and longest translation of one, in characters."""

# Control characters (Unicode's Cc) but for tab and line ends, and halves of surrogate pairs.
# Joiners (ZWJ, ZWNJ) are Cf: emoji, Persian and Indic scripts need them.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


def composed(text: str) -> str:
    """A text in the form in which it is looked up and given to engines (NFC, Unicode annex 15).

    ``é`` may be sent as one character or as two; both are the same word.
    """
    return unicodedata.normalize("NFC", text)


def validate_text(text: str, max_chars: int) -> None:
    """Check one text of a request. Text of only spaces or emoji is fine; it comes back unchanged.

    Raises:
        EmptyText: it is the empty string.
        TextTooLong: it has more than ``max_chars`` characters.
        InvalidText: it holds control characters or lone surrogates.
    """
    if not text:
        raise EmptyText("The text is empty.")
    if len(text) > max_chars:
        raise TextTooLong(
            f"The text has {len(text)} characters; at most {max_chars} are taken.",
            characters=len(text),
            max_characters=max_chars,
        )
    found = _FORBIDDEN.search(text)
    if found:
        raise InvalidText(
            f"The text holds U+{ord(found[0]):04X} at offset {found.start()}; control characters "
            "other than tab and line ends, and lone surrogates, are not taken.",
            offset=found.start(),
        )


def validate_glossary(glossary: Mapping[str, str], *, max_terms: int = 200) -> None:
    """Check the glossary of a request: source terms mapped to their translations.

    Raises:
        InvalidGlossary: too many terms, or one that is empty, over-long, without any letter or
            digit, or holding control characters.
    """
    if len(glossary) > max_terms:
        raise InvalidGlossary(
            f"The glossary has {len(glossary)} terms; at most {max_terms} are taken.",
            terms=len(glossary),
            max_terms=max_terms,
        )
    for index, (term, translation) in enumerate(glossary.items()):
        fault = _fault("term", term) or _fault("translation", translation)
        if fault is None and not any(char.isalnum() for char in term):
            fault = "its term holds no letter or digit"
        if fault is not None:
            raise InvalidGlossary(f"Glossary entry {index}: {fault}.", entry=index)


def _fault(what: str, text: str) -> str | None:
    if not text.strip():
        return f"its {what} is empty"
    if len(text) > MAX_TERM_CHARS:
        return f"its {what} has more than {MAX_TERM_CHARS} characters"
    if _FORBIDDEN.search(text) or "\n" in text or "\r" in text:
        return f"its {what} holds control characters or line breaks"
    return None
