"""One type for languages: callers write what they know, engines and answers get one spelling.

Accepted are ISO 639-1 (``en``), ISO 639-3 and 639-2/B (``eng``, ``ger``), FLORES-200
(``eng_Latn``), BCP-47 (``pt-BR``, ``zh-Hant-TW``) in any case and with ``-`` or ``_``, and codes
that were retired (``iw``, ``jw``). The table is our own, in ``language_table.py``: langcodes needs
350 MB and two seconds once it is asked for a name, and every process imports this module.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple, NoReturn

from speech_translator.errors import UnknownLanguage
from speech_translator.language_table import (
    ALIASES,
    LANGUAGES,
    NAMES,
    REGION_SCRIPTS,
    REGIONS,
)

MAX_CODE_CHARS = 35
"""BCP-47 (RFC 5646, 4.4.1) calls for room for 35 characters; longer ones are refused unread."""

AUTO = "auto"
"""What callers write for a source language that is to be detected."""

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})"
    r"(?:-(?P<extended>[a-z]{3}))?"
    r"(?:-(?P<script>[a-z]{4}))?"
    r"(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[a-z0-9](?:-[a-z0-9]{2,8})+)*)"
)
# Registered variants that are in use. They are accepted and dropped: no engine tells them apart.
_VARIANTS = frozenset(
    [
        *("", "1901", "1990", "1994", "1996", "abl1943", "ao1990", "arevela", "arevmda", "ekavsk"),
        *("fonipa", "ijekavsk", "jyutping", "nedis", "oxendict", "pinyin", "polyton", "rozaj"),
        *("scotland", "tarask", "valencia", "wadegile"),
    ]
)
_SCRIPT_ALIASES = {"Hang": "Kore", "Hani": "Hans", "Hrkt": "Jpan"}
_REGION_ALIASES = {"UK": "GB"}
_FLORES_SCRIPTS = {"Kore": "Hang"}
_SHORTEST_NAME = 4
_SUGGESTIONS = 3
_SIMILARITY = 0.75


class _Row(NamedTuple):
    """One line of the table."""

    key: str
    iso3: str
    flores: str
    scripts: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Language:
    """A language, in a script and a region where those were given.

    Make one with ``Language.parse``. Two are equal when their tags are; what engines and routing
    compare is ``key``.
    """

    tag: str
    """Normalised BCP-47: ``en``, ``pt-BR``, ``zh-Hant``. A default script is left out."""

    @classmethod
    def parse(cls, code: str) -> Language:
        """The language that ``code`` names.

        Raises:
            UnknownLanguage: no table knows it; ``details["close_matches"]`` lists similar codes,
                the best first, possibly none.
        """
        if len(code) > MAX_CODE_CHARS:
            _refuse("")
        return _parse(code)

    @property
    def key(self) -> str:
        """What engines and routing use: ``pt``, ``zh-Hant``; ISO 639-1 where there is one."""
        return _details(self.tag)[0]

    @property
    def iso3(self) -> str:
        """ISO 639-3: ``eng``."""
        return _row_of(self.tag).iso3

    @property
    def flores(self) -> str:
        """FLORES-200: ``eng_Latn``. Built the same way for languages outside FLORES."""
        script = self.script
        return f"{_row_of(self.tag).flores}_{_FLORES_SCRIPTS.get(script, script)}"

    @property
    def name(self) -> str:
        """The English name of the language, without script and region."""
        return _row_of(self.tag).name

    @property
    def script(self) -> str:
        """ISO 15924: ``Latn``, also where the tag leaves it out."""
        return _details(self.tag)[1]

    @property
    def region(self) -> str | None:
        """ISO 3166-1 or UN M.49: ``BR``, ``419``; None where none was given."""
        return _details(self.tag)[2]

    def __str__(self) -> str:
        """The tag."""
        return self.tag


def parse_source(code: str) -> Language | None:
    """As ``Language.parse``, but None for ``auto``: the language is to be detected."""
    return None if code.strip().lower() == AUTO else Language.parse(code)


@cache
def all_languages() -> tuple[Language, ...]:
    """Every language of the table in its default script, by key."""
    return tuple(Language(key) for key in _table())


@lru_cache(maxsize=2048)
def _parse(code: str) -> Language:
    return Language(_tag_of(*_subtags(code)))


def _subtags(code: str) -> tuple[_Row, str, str]:
    """Row, script and region (empty when not given) of a code.

    Raises:
        UnknownLanguage: it is not well-formed, or a part of it is not in the tables.
    """
    # ASCII first: case folding of other letters would let lookalikes through (K for Kelvin).
    match = _TAG.fullmatch(code.strip().lower().replace("_", "-")) if code.isascii() else None
    if match is None or not _VARIANTS.issuperset(match["variants"].split("-")):
        _refuse(code)
    primary = match["extended"] or match["language"]  # zh-yue is yue (RFC 5646, 2.2.2)
    key, _, implied = _codes().get(primary, "").partition("-")
    row = _table().get(key)
    if row is None:
        _refuse(code)
    script = (match["script"] or implied).title()
    script = script if script in row.scripts else _SCRIPT_ALIASES.get(script, script)
    region = (match["region"] or "").upper()
    region = _REGION_ALIASES.get(region, region)
    if (script and script not in row.scripts) or not _is_region(region):
        _refuse(code)
    return row, script, region


def _is_region(region: str) -> bool:
    return not region or region.isdigit() or region in REGIONS


def _tag_of(row: _Row, script: str, region: str) -> str:
    """The shortest tag that says the same, so that equal languages are equal."""
    usual = REGION_SCRIPTS.get(f"{row.key}-{region}", row.scripts[0])
    parts = [row.key]
    if script and script != usual:
        parts.append(script)
    if region:
        parts.append(region)
    return "-".join(parts)


@lru_cache(maxsize=2048)
def _details(tag: str) -> tuple[str, str, str | None]:
    """Key, script and region of a tag."""
    row, script, region = _subtags(tag)
    script = script or REGION_SCRIPTS.get(f"{row.key}-{region}", row.scripts[0])
    key = row.key if script == row.scripts[0] else f"{row.key}-{script}"
    return key, script, region or None


@lru_cache(maxsize=2048)
def _row_of(tag: str) -> _Row:
    return _subtags(tag)[0]


@cache
def _table() -> MappingProxyType[str, _Row]:
    """Rows by key."""
    rows = {}
    for line in LANGUAGES.strip().splitlines():
        key, iso3, flores, scripts, name = line.split(" ", 4)
        flores = iso3 if flores == "=" else flores
        rows[key] = _Row(key, iso3, flores, tuple(scripts.split(",")), name)
    return MappingProxyType(rows)


@cache
def _codes() -> MappingProxyType[str, str]:
    """Keys (with a script where the code implies one) by every code of two or three letters."""
    codes = dict(ALIASES)
    for row in _table().values():
        codes[row.flores] = codes[row.iso3] = codes[row.key] = row.key
    return MappingProxyType(codes)


@cache
def _spellings() -> MappingProxyType[str, str]:
    """Keys by names and codes in lower case: what a mistyped code is compared with."""
    names = {row.name.lower(): row.key for row in _table().values()}
    return MappingProxyType({**_codes(), **names, **NAMES})


def _refuse(code: str) -> NoReturn:
    """Raise ``UnknownLanguage`` without the code in its message: it is the caller's text."""
    found = _close_matches(code.strip().lower())
    hint = f" Did you mean {' or '.join(found)}?" if found else ""
    raise UnknownLanguage(
        f"This language code is not known.{hint} Codes look like en, eng, eng_Latn or pt-BR.",
        close_matches=list(found),
    )


@lru_cache(maxsize=512)
def _close_matches(code: str) -> tuple[str, ...]:
    """Up to three tags whose names or codes look like ``code``, the best first."""
    # "english_US" and "portuguese (Brazil)": the language is the first word, the rest is noise.
    first = re.split(r"[-_\s(]", code, maxsplit=1)[0]
    spellings = _spellings()
    found = [spellings[word] for word in (code, first) if word in spellings]
    for word in dict.fromkeys((code, first)):
        if len(word) >= _SHORTEST_NAME:
            names = difflib.get_close_matches(word, _names(), _SUGGESTIONS, _SIMILARITY)
            found += [spellings[name] for name in names]
        elif word[:2] in _table():  # Codes are all alike by their letters; "enn" may mean "en".
            found.append(word[:2])
    return tuple(dict.fromkeys(found))[:_SUGGESTIONS]


@cache
def _names() -> tuple[str, ...]:
    return tuple(spelling for spelling in _spellings() if len(spelling) >= _SHORTEST_NAME)
