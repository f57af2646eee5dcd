"""``speech-translator models``: what is in the catalog and here, and what to pull or remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speech_translator.cli.exit_codes import ExitCode, exit_code_of_run
from speech_translator.cli.options import JsonOption, target_language
from speech_translator.cli.surroundings import ready_services, run, surroundings_of
from speech_translator.cli.terminal import (
    complain,
    printable,
    progress_bars,
    tell,
    write,
    write_table,
)
from speech_translator.errors import ModelMissing, SpeechTranslatorError

if TYPE_CHECKING:
    from speech_translator.engines.catalog import ModelCard

_MIB = 1024**2

Models = Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids; see models list.")]

app = typer.Typer(no_args_is_help=True, help="List, pull, verify and remove models; list voices.")


@app.command("list")
def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the catalog: what each model does, its licence, and whether it is here."""
    from speech_translator.engines import catalog  # noqa: PLC0415  start quickly

    models_dir = surroundings_of(context).settings().models_dir
    found = [
        (catalog.as_installed(card, models_dir), catalog.installed(card, models_dir))
        for card in catalog.CARDS
    ]
    if as_json:
        import msgspec  # noqa: PLC0415  start quickly

        write(msgspec.json.encode([_fields(card, here) for card, here in found]) + b"\n")
        return
    rows = [("", "MODEL", "TASK", "SIZE", "LICENCE", "SOURCE"), *(_row(*entry) for entry in found)]
    write_table(rows)
    for card, here in found:
        if not here and card.hub is None:
            tell(f"{card.id} is not installed. Run: {card.install}")
    if any(card.hub is not None and not here for card, here in found):
        tell("Others are pulled from their hub. Run: speech-translator models pull MODEL")


def _fields(card: ModelCard, here: bool) -> dict[str, Any]:
    fields = asdict(card)
    for internal in ("files", "directory", "package"):
        del fields[internal]
    return {**fields, "installed": here}


def _row(card: ModelCard, here: bool) -> tuple[str, ...]:
    size = f"{card.size_bytes / _MIB:.0f} MiB" if card.size_bytes else "-"
    licence = card.licence if card.commercial_use else f"{card.licence} (not commercial)"
    return ("+" if here else "-", card.id, card.task.replace("_", " "), size, licence, card.source)


@app.command("pull")
def pull_models(context: typer.Context, models: Models) -> None:
    """Download models from their hub. What a cut or an interruption left is gone on with."""
    from speech_translator.engines import catalog, hub  # noqa: PLC0415  start quickly

    models_dir = surroundings_of(context).settings().models_dir

    def pull(card: ModelCard) -> None:
        with progress_bars() as bars:
            task = bars.add_task(card.id, total=card.size_bytes or None)
            pulled = hub.pull(
                card,
                models_dir,
                progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
        write(f"{card.id}: whole, commit {pulled.commit}\n")
        if not card.commercial_use:
            tell(f"{card.id}: its licence, {card.licence}, does not allow commercial use.")

    _one_by_one([catalog.card(name) for name in models], pull)


@app.command("remove")
def remove_models(
    context: typer.Context,
    models: Models,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete models that were pulled. Those of packages are removed with their packages."""
    from speech_translator.engines import catalog, hub  # noqa: PLC0415  start quickly

    models_dir = surroundings_of(context).settings().models_dir
    cards = [catalog.card(name) for name in models]
    if not yes:
        names = ", ".join(card.id for card in cards)
        typer.confirm(f"Remove {names} from this machine?", abort=True, err=True)

    def remove(card: ModelCard) -> None:
        hub.remove(card, models_dir)
        write(f"{card.id}: removed\n")

    _one_by_one(cards, remove)


def _one_by_one(cards: Sequence[ModelCard], work: Callable[[ModelCard], None]) -> None:
    """Do the work for each model, go on after a failure, and end with the code of the run."""
    failures: list[SpeechTranslatorError] = []
    for card in cards:
        try:
            work(card)
        except SpeechTranslatorError as error:
            failures.append(error)
            complain(error, card.id)
    raise typer.Exit(exit_code_of_run(len(cards), failures))


@app.command("verify")
def verify_models(
    context: typer.Context,
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Installed ones by default.")
    ] = None,
) -> None:
    """Read every byte of the models and compare it with what it must be."""
    from speech_translator.engines import catalog  # noqa: PLC0415  start quickly

    models_dir = surroundings_of(context).settings().models_dir
    cards: Sequence[ModelCard] = [catalog.card(name) for name in models or ()] or [
        card for card in catalog.CARDS if catalog.installed(card, models_dir)
    ]
    failures: list[SpeechTranslatorError] = []
    for card in cards:
        try:
            catalog.verify(card, models_dir)
        except SpeechTranslatorError as error:
            failures.append(error)
            complain(error, card.id)
        else:
            write(f"{card.id}: whole\n")
    if not cards:
        raise ModelMissing("No model is installed.", command="make install")
    # Damage is not one input of several that failed: nothing but a reinstallation mends it.
    raise typer.Exit(ExitCode.CONFIGURATION if failures else ExitCode.OK)


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
