"""From what was named on the command line to recordings: files, folders, a pipe."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speech_translator.cli.terminal import PIPE
from speech_translator.errors import InvalidAudio

STDIN_NAME = "stdin"
"""What a recording from a pipe is called in messages and in names of files."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording; ``path`` is None for standard input.

    ``place`` is its path below the folder that was named, or just its name: where results go
    below a folder of their own.
    """

    path: Path | None
    place: Path
    size: int = 0

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return str(self.path) if self.path else STDIN_NAME


@dataclass(frozen=True, slots=True)
class Unusable:
    """What was named and cannot be read."""

    name: str
    error: InvalidAudio


def find_recordings(named: Sequence[str]) -> list[Recording | Unusable]:
    """What was named, in order; folders give the audio in them, by its content and by name.

    A folder's other files, hidden ones and links to folders are passed over. A file that was
    named itself is always given: its decoder says what is wrong with it.
    """
    found: list[Recording | Unusable] = []
    for name in named:
        path = Path(name)
        if name == PIPE:
            found.append(Recording(None, Path(STDIN_NAME)))
        elif path.is_dir():
            inside = list(_inside(path))
            found += inside or [Unusable(name, InvalidAudio("There is no audio in this folder."))]
        else:
            found.append(_file(path))
    return found


def _file(path: Path) -> Recording | Unusable:
    try:
        return Recording(path, Path(path.name), path.stat().st_size)
    except (OSError, ValueError) as error:
        return Unusable(str(path), unreadable(error))


def unreadable(error: Exception) -> InvalidAudio:
    """The error for a file that the system does not let us read."""
    reason = getattr(error, "strerror", None) or "the name cannot be used"
    return InvalidAudio(f"It cannot be read: {reason}.")


def _inside(folder: Path) -> Iterator[Recording | Unusable]:
    from speech_translator.media.sniffing import sniff_file  # noqa: PLC0415  start quickly

    problems: list[OSError] = []
    for directory, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory, name)
            if name.startswith(".") or not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    if sniff_file(file) is None:
                        continue
                    yield Recording(path, path.relative_to(folder), os.fstat(file.fileno()).st_size)
            except OSError as error:
                yield Unusable(str(path), unreadable(error))
    yield from (Unusable(str(error.filename), unreadable(error)) for error in problems)


def stems(recordings: Sequence[Recording], *, beside: bool) -> dict[Recording, Path]:
    """Where each recording's results go, without their suffix; no two share a place.

    Args:
        recordings: all of one run.
        beside: next to each recording; else the places are relative.
    """
    full = {
        recording: (recording.path if beside and recording.path else recording.place)
        for recording in recordings
    }
    shared = Counter(path.with_suffix("") for path in full.values())
    taken: set[Path] = set()
    result = {}
    for recording, path in full.items():
        # talk.wav and talk.mp3 become talk.wav.srt and talk.mp3.srt.
        stem = path.with_suffix("") if shared[path.with_suffix("")] == 1 else path
        number = 2
        unique = stem
        while unique in taken:
            unique = stem.with_name(f"{stem.name}-{number}")
            number += 1
        taken.add(unique)
        result[recording] = unique
    return result
