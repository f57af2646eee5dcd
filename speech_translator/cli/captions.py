"""Captions as people see them, and as they are kept: on a terminal, in a pipe, in a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from speech_translator.cli.live_client import Event
from speech_translator.cli.outputs import WRITERS, write_file
from speech_translator.cli.terminal import output_is_terminal, printable, tell, write
from speech_translator.errors import UnsupportedFormat
from speech_translator.languages import Language

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from speech_translator.scalability.results import TranscribedSegment

SAVED = ("srt", "vtt", "txt")
"""Formats of ``--save``, by suffix."""


class Captions(Protocol):
    """Shows captions; ``partials`` tells whether running ones are of use."""

    partials: bool

    def partial(self, event: Event) -> None:
        """The running utterance so far."""
        ...

    def final(self, event: Event) -> None:
        """A finished utterance."""
        ...

    def note(self, message: str) -> None:
        """Something that one should know."""
        ...


class PlainCaptions:
    """A line for each language of each utterance; one that reads them sees them at once."""

    partials = False

    def partial(self, event: Event) -> None:
        """Nothing: lines that were written stay."""

    def final(self, event: Event) -> None:
        """See ``Captions``; languages are named where there are several."""
        lines = texts_of(event)
        named = len(lines) > 1
        write("".join(f"{tag}: {text}\n" if named else f"{text}\n" for tag, text in lines))

    def note(self, message: str) -> None:
        """See ``Captions``."""
        tell(message)


class TerminalCaptions:
    """Finals scroll by, the running utterance stands below them in grey.

    Args:
        live: what redraws it.
    """

    partials = True

    def __init__(self, live: Live) -> None:
        self._live = live

    def partial(self, event: Event) -> None:
        """See ``Captions``."""
        self._live.update(self._drawn(event, grey=True), refresh=True)

    def final(self, event: Event) -> None:
        """See ``Captions``."""
        from rich.text import Text  # noqa: PLC0415

        self._live.update(Text(""), refresh=True)
        self._live.console.print(self._drawn(event))

    def note(self, message: str) -> None:
        """See ``Captions``."""
        from rich.text import Text  # noqa: PLC0415

        self._live.console.print(Text(printable(message), style="yellow"))

    def _drawn(self, event: Event, *, grey: bool = False) -> RenderableType:
        """One utterance; what is spoken is text, and no markup of the terminal."""
        from rich.text import Text  # noqa: PLC0415

        drawn = Text()
        for number, (tag, text) in enumerate(texts_of(event)):
            style = "bright_black" if grey else ("bold" if number == 0 else "cyan")
            drawn.append("\n" if number else "")
            drawn.append(f"{tag or '..'} ", style="bright_black")
            drawn.append(text, style=style)
        return drawn


def texts_of(event: Event) -> list[tuple[str, str]]:
    """What was said, then its translations, each with its language; safe for a terminal."""
    spoken = event["language"] or ""
    said = [(spoken, event["text"])] if event["text"] else []
    others = [(tag, text) for tag, text in event["translations"].items() if tag != spoken]
    return [(tag, printable(text)) for tag, text in said + others]


@contextmanager
def captions() -> Iterator[Captions]:
    """What shows captions on standard output."""
    if not output_is_terminal():
        yield PlainCaptions()
        return
    from rich.console import Console  # noqa: PLC0415  a pipe should not pay for it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    with Live(Text(""), console=console, transient=True, auto_refresh=False) as live:
        yield TerminalCaptions(live)


class SavedCaptions:
    """A file that holds the captions so far after each of them, as a whole.

    What was said goes to ``path``, each translation beside it: ``talk.srt``, ``talk.pt.srt``.

    Args:
        path: its suffix is the format.
        targets: languages of the translations.

    Raises:
        UnsupportedFormat: the suffix is none that is offered.
    """

    def __init__(self, path: Path, targets: Sequence[Language]) -> None:
        self._path = path
        self._suffix = path.suffix.lower().removeprefix(".")
        if self._suffix not in SAVED:
            raise UnsupportedFormat(f"--save takes a file in .{', .'.join(SAVED)}.")
        self._targets = [target.tag for target in targets]
        self._finals: list[Event] = []

    async def add(self, event: Event) -> None:
        """Keep one more. Raises ``ConfigurationError`` where it cannot be written."""
        self._finals.append(event)
        await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Write the files."""
        from speech_translator import exports  # noqa: PLC0415  start quickly

        export: Any = getattr(exports, WRITERS[self._suffix])
        write_file(self._path, export(self._segments(None)).encode())
        for target in self._targets:
            place = self._path.with_name(f"{self._path.stem}.{target}{self._path.suffix}")
            write_file(place, export(self._segments(target)).encode())

    def _segments(self, language: str | None) -> list[TranscribedSegment]:
        """The captions in one language; those that have no translation are left out."""
        from speech_translator.scalability.results import TranscribedSegment  # noqa: PLC0415

        found = []
        for number, event in enumerate(self._finals):
            text = event["text"] if language is None else event["translations"].get(language)
            if text:
                found.append(TranscribedSegment(number, event["start"], event["end"], text, 1.0))
        return found
