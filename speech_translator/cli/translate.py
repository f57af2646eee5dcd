"""``speech-translator translate``: text from arguments or from a pipe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import typer

from speech_translator.cli.exit_codes import exit_code_of_run
from speech_translator.cli.lines import Line, read_all, read_lines
from speech_translator.cli.options import (
    From,
    Glossary,
    JsonOption,
    To,
    glossary_terms,
    source_language,
    target_language,
)
from speech_translator.cli.surroundings import (
    ready_services,
    request_context,
    run,
    surroundings_of,
)
from speech_translator.cli.terminal import PIPE, complain, write
from speech_translator.errors import (
    InvalidText,
    LanguageNotDetected,
    SpeechTranslatorError,
    TextTooLong,
)
from speech_translator.languages import Language

if TYPE_CHECKING:
    from speech_translator.scalability.async_translator import AsyncTranslator
    from speech_translator.scalability.results import Translation

LINES_AT_ONCE = 64
"""Lines that are translated side by side; it bounds what waits for the engine."""

_BYTES_PER_CHARACTER = 4


class Format(StrEnum):
    """What a text is."""

    TEXT = "text"
    HTML = "html"


def translate(
    context: typer.Context,
    to: To,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts; none or - reads standard input."),
    ] = None,
    source: From = "auto",
    text_format: Annotated[
        Format, typer.Option("--format", help="html translates between the tags.")
    ] = Format.TEXT,
    glossary: Glossary = None,
    as_json: JsonOption = False,
) -> None:
    """Translate text.

    Standard input is translated line by line as it comes, HTML as one document. A line that
    cannot be translated is written as it is, so that lines stay in step, and reported.
    """
    surroundings = surroundings_of(context)
    settings = surroundings.settings()
    from_language, to_language = source_language(source), target_language(to)
    terms = glossary_terms(glossary, settings.max_glossary_terms)

    async def work() -> int:
        async with ready_services(surroundings, settings, ["translation"]) as services:
            job = TranslationJob(
                services.translator,
                from_language,
                to_language,
                text_format.value,
                terms,
                settings.max_text_chars,
                as_json=as_json,
            )
            whole = text_format is Format.HTML
            piped = not texts or texts == [PIPE]
            stream = surroundings.standard_input() if piped else None
            return await job.run(_inputs(texts or [], stream, settings.max_text_chars, whole=whole))

    raise typer.Exit(run(work()))


async def _inputs(
    texts: Sequence[str], stream: BinaryIO | None, max_chars: int, *, whole: bool
) -> AsyncIterator[list[Line]]:
    """Arguments, or what comes through the pipe, in groups that are there at the same time."""
    limit = max_chars * _BYTES_PER_CHARACTER
    if stream is None:
        yield [Line(text.encode(errors="surrogateescape")) for text in texts]
    elif whole:
        document = await read_all(stream, limit)
        if len(document) > limit:  # part of a page is of no use
            raise TextTooLong(f"The page is longer than {max_chars} characters.")
        yield [Line(document, b"")]
    else:
        async for lines in read_lines(stream, limit):
            yield lines


@dataclass(slots=True)
class TranslationJob:
    """Translates lines and writes them in order."""

    translator: AsyncTranslator
    source: Language | None
    target: Language
    text_format: Literal["text", "html"]
    glossary: Mapping[str, str]
    max_chars: int
    as_json: bool = False
    _lines: int = 0
    _failures: list[SpeechTranslatorError] = field(default_factory=list)
    _spoken: Language | None = None

    async def run(self, groups: AsyncIterator[list[Line]]) -> int:
        """Translate everything; the exit code."""
        async for group in groups:
            for first in range(0, len(group), LINES_AT_ONCE):
                await self._work_on(group[first : first + LINES_AT_ONCE])
        return exit_code_of_run(self._lines, self._failures)

    async def _work_on(self, lines: Sequence[Line]) -> None:
        """Translate lines side by side and write them in order."""
        answers = await asyncio.gather(
            *(self._translate(line, self.source) for line in lines), return_exceptions=True
        )
        for line, answer in zip(lines, answers, strict=True):
            if not line.last:
                self._pass_on(line)
                continue
            self._lines += 1
            write(await self._written(line, answer))

    def _pass_on(self, line: Line) -> None:
        """Write the beginning of a line that is too long; its end is what is reported."""
        if not self.as_json:
            write(_raw(line))

    async def _translate(self, line: Line, source: Language | None) -> Translation | None:
        """The translation of a line; None where it has nothing on it."""
        from speech_translator.text import validate_text  # noqa: PLC0415  start quickly

        if line.part:
            raise TextTooLong(f"The text is longer than {self.max_chars} characters.")
        if not line.content:
            return None
        try:
            text = line.content.decode()
        except UnicodeDecodeError:
            raise InvalidText("The text is not UTF-8.") from None
        validate_text(text, self.max_chars)
        found = await self.translator.translate(
            [text],
            source=source,
            target=self.target,
            text_format=self.text_format,
            glossary=self.glossary,
            context=request_context(),
        )
        return found[0]

    async def _written(self, line: Line, answer: Translation | BaseException | None) -> bytes:
        """What is written for a line. Raises what is no error of ours."""
        if isinstance(answer, LanguageNotDetected) and self._spoken is not None:
            # Too short to tell by itself: it is taken to be in the language of those before it.
            try:
                answer = await self._translate(line, self._spoken)
            except SpeechTranslatorError as error:
                answer = error
        if isinstance(answer, SpeechTranslatorError):
            self._failures.append(answer)
            complain(answer, f"Line {self._lines}")
            return _json({"error": {"code": answer.code}}) if self.as_json else _raw(line)
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            return _json({"translation": ""}) if self.as_json else _raw(line)
        self._spoken = answer.detected_language or self._spoken
        if self.as_json:
            return _json(_fields(answer))
        return answer.text.encode() + line.end


def _raw(line: Line) -> bytes:
    return line.content + line.end


def _json(fields: Mapping[str, Any]) -> bytes:
    import msgspec  # noqa: PLC0415  start quickly

    return msgspec.json.encode(fields) + b"\n"


def _fields(answer: Translation) -> dict[str, Any]:
    """Named as in ``POST /translate/text``."""
    detected = answer.detected_language
    return {
        "translation": answer.text,
        "source_language": answer.source.tag,
        "target_language": answer.target.tag,
        **({"detected_language": detected.tag} if detected else {}),
        "engine": answer.engine,
        "route": answer.route,
        "degraded": answer.degraded,
        "rule_based": answer.rule_based,
    }
