"""``speech-translator speak``: text to speech, translated first when asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from speech_translator.cli.lines import read_all
from speech_translator.cli.options import VoiceOption, source_language, target_language
from speech_translator.cli.outputs import AUDIO_FORMATS, audio_format, write_speech
from speech_translator.cli.surroundings import (
    Surroundings,
    ready_services,
    request_context,
    run,
    surroundings_of,
)
from speech_translator.cli.terminal import PIPE, output_is_terminal
from speech_translator.errors import EmptyAudio, InvalidText, TextTooLong, UnsupportedFormat

if TYPE_CHECKING:
    from speech_translator.engines.values import Task
    from speech_translator.settings import Settings

_BYTES_PER_CHARACTER = 4


def speak(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say, or - for a pipe.")],
    language: Annotated[
        str,
        typer.Option("--language", "--to", "-l", "-t", metavar="LANGUAGE", help="To speak in."),
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help=f"{' '.join(AUDIO_FORMATS)}, or -."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", "-f", metavar="LANGUAGE", help="Translate from this language (or auto) first."
        ),
    ] = None,
    voice: VoiceOption = None,
    speed: Annotated[float, typer.Option(min=0.5, max=2.0, help="1 is the voice's pace.")] = 1.0,
    codec: Annotated[
        str, typer.Option("--codec", help="What to write through a pipe: wav, flac, opus, mp3.")
    ] = "wav",
) -> None:
    """Speak text, into a file or through a pipe."""
    surroundings = surroundings_of(context)
    settings = surroundings.settings()
    spoken = target_language(language, "--language")
    translate_from = source_language(source) if source else None
    target = _target(output)
    audio_format(target)
    if codec not in AUDIO_FORMATS.values():
        raise UnsupportedFormat("--codec takes wav, flac, opus or mp3.")

    async def work() -> None:
        said = await _text(text, surroundings, settings)
        tasks: list[Task] = ["synthesis", *(["translation"] if source else [])]  # type: ignore[list-item]
        async with ready_services(surroundings, _only(settings, voice), tasks) as services:
            if source:
                answers = await services.translator.translate(
                    [said], source=translate_from, target=spoken, context=request_context()
                )
                said = answers[0].text
            speech = await services.translator.synthesize(
                said, language=spoken, voice=voice, speed=speed, context=request_context()
            )
        if not len(speech.samples):
            raise EmptyAudio("There is nothing to say in this text.")
        write_speech(target, speech.samples, speech.sample_rate, default=codec)

    run(work())


def _target(output: str | None) -> str:
    """Where the speech goes; through a pipe when there is one and nothing else was said."""
    if output:
        return output
    if output_is_terminal():
        raise typer.BadParameter("name a file with --output, or - to write to a pipe")
    return PIPE


async def _text(text: str, surroundings: Surroundings, settings: Settings) -> str:
    """What to say, checked.

    Raises:
        InvalidText: it is empty, too long, or no text.
    """
    from speech_translator.text import validate_text  # noqa: PLC0415  start quickly

    if text == PIPE:
        limit = settings.max_text_chars * _BYTES_PER_CHARACTER
        data = await read_all(surroundings.standard_input(), limit)
        if len(data) > limit:
            raise TextTooLong(f"The text is longer than {settings.max_text_chars} characters.")
        try:
            text = data.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidText("The text is not UTF-8.") from None
    validate_text(text, settings.max_text_chars)
    return text


def _only(settings: Settings, voice: str | None) -> Settings:
    """Start one engine only where the voice names it: ``kokoro:pf_dora``."""
    engine, colon, _ = (voice or "").partition(":")
    if not colon or engine not in settings.synthesizers:
        return settings
    return settings.model_copy(update={"synthesizers": (engine,), "live_synthesizers": ()})
