"""What people see: messages and progress on standard error, results on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from speech_translator.errors import SpeechTranslatorError

if TYPE_CHECKING:
    from rich.progress import Progress

PIPE = "-"
"""What callers write for standard input or output."""


def printable(text: str) -> str:
    """``text`` without what a terminal would obey: names of files may hold anything."""
    return "".join(character if character.isprintable() else "�" for character in text)


def tell(message: str) -> None:
    """A line for people."""
    typer.echo(message, err=True)


def complain(error: SpeechTranslatorError, where: str = "") -> None:
    """Say what went wrong, with what, and the command that mends it where one is known."""
    prefix = f"{printable(where)}: " if where else "Error: "
    tell(f"{prefix}{error.message}")
    for name, values in error.details.items():
        if isinstance(values, list | tuple) and values and all(isinstance(v, str) for v in values):
            shown = ", ".join(values)
            if shown not in error.message and name != "close_matches":  # the message has those
                tell(f"  {name.replace('_', ' ').capitalize()}: {printable(shown)}")
    command = error.details.get("command")
    if isinstance(command, str) and command not in error.message:
        tell(f"  Run: {command}")


def write(data: str | bytes) -> None:
    """A result, as UTF-8 whatever the locale says, and at once: a reader may wait for it.

    Raises:
        BrokenPipeError: the reader went away.
    """
    typer.echo(data.encode() if isinstance(data, str) else data, nl=False)


def write_table(rows: Sequence[Sequence[str]]) -> None:
    """Rows with columns of one width each; the first row names them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        write("  ".join(cells).rstrip() + "\n")


def output_is_terminal() -> bool:
    """Whether results would be shown to a person: audio may not be."""
    return sys.stdout.isatty()


@contextmanager
def loading() -> Iterator[None]:
    """Say that models are loading, on a terminal only, until the work begins."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415  a pipe should not pay for it

    with Console(stderr=True).status("Loading the models"):
        yield


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars with the time left on standard error; nothing is shown where that is no terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        # Names of files are no markup: "[bold]" may well be a part of one.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    shown = sys.stderr.isatty()
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # results are bytes of their own
        disable=not shown,
    ) as progress:
        yield progress
