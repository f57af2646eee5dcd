"""What engines must not translate: placeholders, addresses, code, and glossary terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from speech_translator.text.marks import Kind, Mark

_MAX_BRACES = 2_000
"""Longest ``{...}`` that is one placeholder, in characters; ICU messages can be long."""

_EMOJI = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}"  # flags
    "|[0-9#*]\ufe0f?\u20e3"  # keycaps
    "|[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d"
    "\U0001f000-\U0001faff](?:[\ufe0e\ufe0f]|[\U0001f3fb-\U0001f3ff]|[\U000e0020-\U000e007f]"
    "|\u200d[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])*)"
)

# Every repetition is bounded or possessive: the time is linear in the text.
_FIXED = re.compile(
    rf"""
      (?P<code> ^[ ]{{0,3}}(?P<fence>```|~~~) .*? (?: ^[ ]{{0,3}}(?P=fence)[ ]*$ | \Z )
        | ``[^\n]{{1,500}}?`` | `[^`\n]{{1,500}}` )
    | (?P<math> \$\$[^$]{{1,500}}\$\$ | \\\([^\n]{{1,500}}?\\\) | \\\[[^\]]{{1,500}}\\\] )
    | (?P<url> \b(?:https?|ftps?|wss?|file|git|ssh)://[^\s<>"\u201d\u00bb\ufdd0]++
        | \b(?:mailto|tel|data):[^\s<>"\ufdd0]++
        | \bwww\.[^\s<>"\ufdd0]++ )
    | (?P<email> (?<![\w.+-])[\w.+-]{{1,64}}+@\w[\w-]{{0,62}}(?:\.\w[\w-]{{0,62}}){{1,8}} )
    | (?P<domain> (?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,8}}
        (?:com|org|net|io|dev|app|gov|edu|info|ai|br|pt|uk|eu)\b(?:/[^\s<>"\ufdd0]*+)? )
    | (?P<template> <%[^%\n]{{0,200}}%> | \[\[[^\[\]\n]{{1,200}}\]\] | %\{{[^{{}}\n]{{1,200}}\}}
        | \$\([\w.-]{{1,100}}\) )
    | (?P<tag> </?[A-Za-z][^<>\n]{{0,200}}+> | </?\d{{1,3}}[ ]?/?> )
    | (?P<entity> &(?:\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,30}}); )
    | (?P<printf> (?<![\w%])%(?:\d{{1,2}}\$)?(?:\(\w{{1,60}}\))?[-+\#0]{{0,4}}(?:\d{{1,4}}|\*)?
        (?:\.\d{{1,3}})?(?:hh|h|ll|l|L|q|j|z|t)?[sdifuxXoeEgGcpr@](?![A-Za-z])
        | %% | (?<![\w%])%\d{{1,2}}\$?(?![\w%]) )
    | (?P<variable> (?<![\w$])\$[A-Za-z_]\w{{0,60}} )
    | (?P<handle> (?<![\w@./])@[^\W\d]\w{{0,60}}(?:\.\w{{1,60}}){{0,4}} )
    | (?P<hashtag> (?<![\w&\#/])\#\w{{1,100}} )
    | (?P<path> (?<![\w/.:~])(?:~|\.{{1,2}})?(?:/[\w.+-]{{1,100}}){{2,40}}/?
        | (?<!\w)[A-Za-z]:\\[^\s<>"|?*\ufdd0]++ )
    | (?P<emoji> {_EMOJI} )
    | (?P<brand> (?<![^\W_])[\w.-]{{1,60}}[\u2122\u00ae\u00a9] | [\u2122\u00ae\u00a9] )
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
# Each alternative needs one of these. Most sentences have none, and looking for them all takes
# fifty times as long.
_SIGNS = re.compile(
    r"[`~$\\:/@<%\[&\#\u2122\u00ae\u00a9\u20e3\u3030\u303d\u2190-\u2bff\U0001f000-\U0001faff]"
    r"|\.\S"
)
_AFTER_ADDRESS = frozenset(".,;:!?'\"*_~’…")
_BRACES = re.compile(r"[{}]")
_GLUE = re.compile(r"[A-Za-z0-9_/\\-]*")
_GLUE_BEFORE = re.compile(r"[A-Za-z0-9_/\\-]{0,60}\Z")
# Prose in braces is to be translated; names, paths, pipes and ICU forms are not.
_SIGNS_IN_BRACES = frozenset("|,:=([{")
_WORDS_IN_BRACES = 2


def find(text: str, glossary: Mapping[str, str], escape: Callable[[str], str] = str) -> list[Mark]:
    """Marks for everything in ``text`` that is not to be translated, in order, none overlapping.

    Args:
        text: any text.
        glossary: term to its translation; a term that is mapped to itself stays as it is.
        escape: applied to translations of terms, for HTML.
    """
    marks = sorted(
        [*_fixed(text), *_braces(text)],
        key=lambda mark: (mark.start, -mark.end),
    )
    marks = _without_overlaps(marks)
    if glossary:
        marks = merge(marks, list(_terms(text, glossary, escape)))
    return marks


def merge(marks: Sequence[Mark], further: Sequence[Mark]) -> list[Mark]:
    """All marks in order, but those of ``further`` that overlap one of ``marks``; both sorted."""
    free = []
    index = 0
    for mark in further:
        while index < len(marks) and marks[index].end <= mark.start:
            index += 1
        if index == len(marks) or marks[index].start >= mark.end:
            free.append(mark)
    return sorted([*marks, *free], key=lambda mark: mark.start)


def _without_overlaps(marks: list[Mark]) -> list[Mark]:
    kept: list[Mark] = []
    for mark in marks:
        if not kept or mark.start >= kept[-1].end:
            kept.append(mark)
    return kept


def _fixed(text: str) -> Iterator[Mark]:
    if not _SIGNS.search(text):
        return
    for match in _FIXED.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind in {"url", "domain"}:
            end = start + len(_address(match[0]))
        yield Mark(
            start,
            end,
            Kind.POINT if kind == "tag" else Kind.VALUE,
            decoration=kind == "emoji",
        )


def _address(found: str) -> str:
    """An address without the punctuation of the sentence around it."""
    surplus = {
        closing: found.count(closing) - found.count(opening)
        for opening, closing in ("()", "[]", "{}")
    }
    end = len(found)
    while end:
        last = found[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in _AFTER_ADDRESS:
            break
        end -= 1
    return found[:end]


def _braces(text: str) -> list[Mark]:
    """Outermost balanced braces of bounded length, with what is glued to them (``/user/{id}``)."""
    spans: list[tuple[int, int]] = []
    for start, end in _balanced(text):
        if not _is_placeholder(text[start:end].strip("{}")):
            continue
        lead = start - (start > 0 and text[start - 1] in "$#@%")
        before = _GLUE_BEFORE.search(text, max(0, lead - 60), lead)
        after = _GLUE.match(text, end)
        first, last = before.start() if before else lead, after.end() if after else end
        if spans and first <= spans[-1][1]:
            first = spans.pop()[0]
        spans.append((first, last))
    return [Mark(start, end, Kind.VALUE) for start, end in spans]


def _is_placeholder(content: str) -> bool:
    return len(content.split()) <= _WORDS_IN_BRACES or not _SIGNS_IN_BRACES.isdisjoint(content)


def _balanced(text: str) -> list[tuple[int, int]]:
    """Outermost pairs of braces that are not too long; one pass with a stack."""
    stack: list[int] = []
    pairs: list[tuple[int, int]] = []
    for match in _BRACES.finditer(text):
        if match[0] == "{":
            stack.append(match.start())
        elif stack:
            start, end = stack.pop(), match.end()
            if end - start <= _MAX_BRACES:
                while pairs and pairs[-1][0] > start:
                    pairs.pop()  # inside of this one
                pairs.append((start, end))
    return pairs


def _terms(text: str, glossary: Mapping[str, str], escape: Callable[[str], str]) -> Iterator[Mark]:
    terms = tuple(sorted(glossary, key=len, reverse=True))
    for match in _pattern(terms).finditer(text):
        term = terms[int((match.lastgroup or "t0")[1:])]
        found, target = match[0], glossary[term]
        output = None if target == term else escape(_in_case_of(found, term, target))
        yield Mark(*match.span(), Kind.VALUE, output)


@lru_cache(maxsize=64)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for whole words, the longest term first; lower-case terms match in any case."""
    return re.compile("|".join(f"(?P<t{i}>{_of_term(term)})" for i, term in enumerate(terms)))


def _of_term(term: str) -> str:
    words = r"\s+".join(re.escape(word) for word in term.split())
    start = r"(?<!\w)" if _in_words(term[0]) else ""
    end = r"(?!\w)" if _in_words(term[-1]) else ""
    # With a capital the term is a name: "Apple" is not "apple".
    return f"{start}(?i:{words}){end}" if term == term.lower() else f"{start}{words}{end}"


def _in_words(char: str) -> bool:
    """Whether words around ``char`` are set apart by spaces: not in Chinese, Japanese or Thai."""
    return char.isalnum() and not (
        "\u0e00" <= char <= "\u0eff" or "\u1780" <= char <= "\u17ff" or "\u2e80" <= char <= "\u9fff"
    )


def _in_case_of(found: str, term: str, target: str) -> str:
    """``target`` with the capitals that the text has and the term has not."""
    if found == term:
        return target
    if len(found) > 1 and found.isupper():
        return target.upper()
    return target[:1].upper() + target[1:] if found[:1].isupper() else target
