"""Driving a translation plan with a function in place of an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from speech_translator.languages import Language
from speech_translator.text import Hints, plan

ENGLISH = Language.parse("en")


def run_plan(
    text: str,
    translate: Callable[[str], str],
    text_format: Literal["text", "html"] = "text",
    glossary: Mapping[str, str] | None = None,
    source: Language = ENGLISH,
    hints: Hints | None = None,
) -> tuple[str, list[list[str]]]:
    """The finished text, and what was asked in each round."""
    asked: list[list[str]] = []
    steps = plan(text, source=source, text_format=text_format, glossary=glossary or {}, hints=hints)
    try:
        batch = next(steps)
        while True:
            asked.append(batch)
            batch = steps.send([translate(sentence) for sentence in batch])
    except StopIteration as finished:
        return finished.value, asked
