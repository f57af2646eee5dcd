"""Values of requests that several routes take: languages, flags, glossaries."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from speech_translator.api.body import decode_json
from speech_translator.errors import InvalidField, InvalidGlossary, UnknownLanguage
from speech_translator.languages import Language, parse_source
from speech_translator.settings import Settings
from speech_translator.text import validate_glossary

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
_GLOSSARY = msgspec.json.Decoder(dict[str, str])


def target_language(code: str) -> Language:
    """A language to translate into.

    Raises:
        UnknownLanguage: no table knows the code; the details name the field and similar codes.
    """
    try:
        return Language.parse(code)
    except UnknownLanguage as error:
        error.details["field"] = "target_language"
        raise


def source_language(code: str) -> Language | None:
    """The language of the input; None for ``auto``. Errors as ``target_language``."""
    try:
        return parse_source(code)
    except UnknownLanguage as error:
        error.details["field"] = "source_language"
        raise


def flag(fields: Mapping[str, str], name: str) -> bool:
    """A form field that is true or false; false when it is left out."""
    value = fields.get(name, "").strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidField(f"Field `{name}` must be true or false.", field=name)


def choice(fields: Mapping[str, str], name: str, offered: Collection[str], default: str) -> str:
    """A form field with one of the values that are offered."""
    value = fields.get(name) or default
    if value not in offered:
        raise InvalidField(f"Field `{name}` must be one of: {', '.join(offered)}.", field=name)
    return value


def whole_number(fields: Mapping[str, str], name: str) -> int | None:
    """A form field with a whole number; None when it is left out."""
    value = fields.get(name, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10):  # noqa: PLR2004 # digits
        raise InvalidField(f"Field `{name}` must be a whole number.", field=name)
    return int(value)


def form_glossary(fields: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    """A glossary that came as JSON in a form field."""
    text = fields.get("glossary", "").strip()
    if not text:
        return {}
    try:
        glossary = decode_json(text.encode(), _GLOSSARY)
    except Exception as error:
        raise InvalidGlossary(
            'Field `glossary` must be a JSON object of strings: {"term": "translation"}.'
        ) from error
    return checked_glossary(glossary, settings)


def checked_glossary(glossary: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    """The glossary, once it is known to be within its bounds."""
    validate_glossary(glossary, max_terms=settings.max_glossary_terms)
    return glossary
