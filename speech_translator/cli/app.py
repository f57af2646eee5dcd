"""The commands, put together, and the one place that turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from speech_translator import __version__
from speech_translator.cli import (
    db,
    doctor,
    keys,
    listen,
    models,
    serve,
    speak,
    transcribe,
    translate,
)
from speech_translator.cli.exit_codes import ExitCode, epilog, exit_code_of
from speech_translator.cli.terminal import complain, tell
from speech_translator.errors import SpeechTranslatorError


class CommandGroup(TyperGroup):
    """Runs a command; an error that is expected becomes a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """See ``TyperGroup.invoke``."""
        try:
            return super().invoke(ctx)
        except SpeechTranslatorError as error:
            complain(error)
            raise typer.Exit(exit_code_of(error)) from None
        except BrokenPipeError:
            # Python flushes standard output once more at its exit, and would complain there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None
        except OSError as error:  # a full disk, a folder that vanished: the system's word is enough
            tell(f"Error: {error.strerror or error}.")
            raise typer.Exit(ExitCode.FAILED) from None


app = typer.Typer(
    cls=CommandGroup,
    help="Speech translation on this machine: captions, text and speech.",
    epilog=epilog(),
    no_args_is_help=True,
    # Tracebacks with the values of variables would show the user's text.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"speech-translator {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Speech translation on this machine: captions, text and speech."""


app.command("serve")(serve.serve)
app.command("translate")(translate.translate)
app.command("transcribe")(transcribe.transcribe)
app.command("speak")(speak.speak)
app.command("listen")(listen.listen)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.command("doctor")(doctor.doctor)
