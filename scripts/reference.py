"""Writes docs/REFERENCE.md: every setting, error code and metric, from the code itself.

Run as ``python scripts/reference.py``; with ``--check`` it only says whether the file is current.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import MagicMock

from prometheus_client.core import Metric

from speech_translator import errors
from speech_translator.api.engine_metrics import current_figures
from speech_translator.observability import Metrics
from speech_translator.problems import status_of
from speech_translator.settings import Settings
from speech_translator.streaming import LiveHub

TARGET = Path(__file__).parent.parent / "docs" / "REFERENCE.md"


def _tree(root: type[errors.SpeechTranslatorError]) -> list[type[errors.SpeechTranslatorError]]:
    """The class and all below it in ``errors.py``, depth first, in the order of their definition.

    What a module derives for itself is never told to anybody, and is not always imported.
    """
    found = [root]
    for child in root.__subclasses__():
        found += _tree(child) if child.__module__ == errors.__name__ else []
    return found


def _default(name: str) -> str:
    """A setting's default as one would write it in the environment."""
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "depends on the machine"
    value = field.default
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f"`{value}`"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _metrics() -> list[Metric]:
    """Every metric of the service, in the order of their names."""

    async def read() -> Iterable[Metric]:  # it looks at the tasks of the event loop
        return list(current_figures(MagicMock(), LiveHub(0)))  # names alone are wanted

    found = [*Metrics(process=False).registry.collect(), *asyncio.run(read())]
    return sorted(found, key=lambda metric: metric.name)


def render() -> str:
    """The whole document."""
    lines = [
        "# Reference",
        "",
        "Made by `python scripts/reference.py` from the code.",
        "",
        "## Settings",
        "",
        "Each is read from the environment once, at the start. Lists are JSON.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        meaning = _one_line(field.description).replace("|", "\\|")
        lines.append(f"| `{name.upper()}` | {_default(name)} | {meaning} |")
    lines += [
        "",
        "## Errors",
        "",
        "The `code` of a problem document is stable; its `detail` is for people and may change.",
        "",
        "| code | HTTP status | meaning |",
        "|---|---|---|",
    ]
    for error in dict.fromkeys(_tree(errors.SpeechTranslatorError)):
        meaning = _one_line((inspect.getdoc(error) or "").split("\n\n")[0])
        lines.append(f"| `{error.code}` | {status_of(error(''))} | {meaning} |")
    lines += [
        "",
        "## Metrics",
        "",
        "`GET /metrics` has them, beside the process's own; as JSON where that is accepted.",
        "",
        "| metric | type | meaning |",
        "|---|---|---|",
    ]
    for metric in _metrics():
        total = "_total" if metric.type == "counter" else ""
        lines.append(f"| `{metric.name}{total}` | {metric.type} | {metric.documentation} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    current = render()
    if parser.parse_args().check:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == current:
            return 0
        sys.stderr.write("docs/REFERENCE.md is out of date: run python scripts/reference.py\n")
        return 1
    TARGET.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
