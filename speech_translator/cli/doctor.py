"""``speech-translator doctor``: what is here, what is missing, and the command that adds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from speech_translator.cli import checks
from speech_translator.cli.checks import Check
from speech_translator.cli.exit_codes import ExitCode
from speech_translator.cli.options import JsonOption
from speech_translator.cli.surroundings import surroundings_of
from speech_translator.cli.terminal import printable, write

if TYPE_CHECKING:
    from speech_translator.settings import Settings

_MARKS = {"ok": "+", "warning": "~", "problem": "!"}


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Look at this machine and this installation; nothing is changed or downloaded.

    Exits with 5 when something is missing that the service cannot do without.
    """
    settings = surroundings_of(context).settings()
    found = examine(settings)
    if as_json:
        import msgspec  # noqa: PLC0415  start quickly

        write(msgspec.json.encode([asdict(check) for check in found]) + b"\n")
    else:
        write("".join(f"{line}\n" for line in lines(found)))
    if any(check.verdict == "problem" for check in found):
        raise typer.Exit(ExitCode.CONFIGURATION)


def examine(settings: Settings) -> list[Check]:
    """Every check, in the order in which a reader mends things."""
    from speech_translator.reliability.machine_checks import (  # noqa: PLC0415  start quickly
        read_memory,
    )

    models = list(checks.model_checks(settings))
    voices = any(check.name == checks.VOICES and check.verdict == "ok" for check in models)
    return [
        checks.python_check(),
        *checks.package_checks(),
        *models,
        checks.npm_check(voices_installed=voices),
        *checks.folder_checks(settings),
        *checks.redis_checks(settings),
        checks.memory_check(read_memory()),
        checks.core_check(),
        checks.address_check(settings),
    ]


def lines(found: Sequence[Check]) -> list[str]:
    """The findings as text, a line each, with the command below where there is one."""
    width = max(len(check.name) for check in found)
    text = []
    for check in found:
        text.append(f"{_MARKS[check.verdict]} {check.name:<{width}}  {printable(check.found)}")
        if check.command and check.verdict != "ok":
            text.append(f"  {'':<{width}}  -> {check.command}")
    problems = sum(check.verdict == "problem" for check in found)
    warnings = sum(check.verdict == "warning" for check in found)
    text.append(f"{problems} problems, {warnings} warnings.")
    return text
