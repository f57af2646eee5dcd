"""Options that several commands share, and what they are parsed into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from speech_translator.errors import InvalidGlossary, UnknownLanguage
from speech_translator.languages import Language, parse_source

MAX_GLOSSARY_BYTES = 1024 * 1024

From = Annotated[
    str, typer.Option("--from", "-f", metavar="LANGUAGE", help="Language of the input, or auto.")
]
To = Annotated[str, typer.Option("--to", "-t", metavar="LANGUAGE", help="Language wanted.")]
Glossary = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help='JSON file of terms and their translations: {"term": "translation"}.',
    ),
]
VoiceOption = Annotated[
    str | None, typer.Option("--voice", help="Voice, such as kokoro:pf_dora; see models voices.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def source_language(code: str) -> Language | None:
    """The value of ``--from``; None for auto. Raises ``UnknownLanguage``."""
    with _about("--from"):
        return parse_source(code)


def target_language(code: str, option: str = "--to") -> Language:
    """The value of ``--to``. Raises ``UnknownLanguage``."""
    with _about(option):
        return Language.parse(code)


@contextmanager
def _about(option: str) -> Iterator[None]:
    """Name the option that an unknown language was given for."""
    try:
        yield
    except UnknownLanguage as error:
        raise UnknownLanguage(f"{option}: {error.message}", **error.details) from None


def glossary_terms(path: Path | None, max_terms: int) -> Mapping[str, str]:
    """The content of a glossary file.

    Raises:
        InvalidGlossary: it is not a JSON object of strings, or over its limits.
    """
    import msgspec  # noqa: PLC0415  start quickly

    from speech_translator.text import validate_glossary  # noqa: PLC0415

    if path is None:
        return {}
    try:
        if path.stat().st_size > MAX_GLOSSARY_BYTES:
            raise InvalidGlossary(f"A glossary may be {MAX_GLOSSARY_BYTES} bytes long.")
        terms = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise InvalidGlossary(f"The glossary cannot be read: {error.strerror}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidGlossary(
            'The glossary must be a JSON object of strings: {"term": "translation"}.'
        ) from None
    validate_glossary(terms, max_terms=max_terms)
    return terms
