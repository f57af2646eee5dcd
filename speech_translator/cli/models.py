"""``speech-translator models``: what is in the catalog, what is here, and whether it is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from speech_translator.cli.options import JsonOption, target_language
from speech_translator.cli.surroundings import ready_services, run, surroundings_of
from speech_translator.cli.terminal import printable, write

app = typer.Typer(no_args_is_help=True, help="List and verify models; list voices.")


@app.command("voices")
def voices(
    context: typer.Context,
    language: Annotated[
        str | None, typer.Option("--language", "-l", metavar="LANGUAGE", help="Only of this one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the voices of the speech engines that can start, the preferred engine's first."""
    surroundings = surroundings_of(context)
    wanted = target_language(language, "--language").key if language else None
    settings = surroundings.settings()

    async def work() -> None:
        import msgspec  # noqa: PLC0415  start quickly

        async with ready_services(surroundings, settings, ["synthesis"]) as services:
            found = [
                voice
                for voice in services.translator.voices()
                if wanted is None or voice.language == wanted
            ]
        if as_json:
            write(msgspec.json.encode(found) + b"\n")
            return
        for voice in found:
            region = f"-{voice.region}" if voice.region else ""
            place = f"{voice.language}{region}"
            write(f"{voice.id:<28} {place:<10} {voice.gender:<8} {printable(voice.name)}\n")

    run(work())
