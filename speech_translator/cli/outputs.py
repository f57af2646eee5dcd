"""Where transcripts and speech are written, and how: whole files or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speech_translator.cli.recordings import Recording
from speech_translator.cli.terminal import PIPE, write
from speech_translator.errors import ConfigurationError, UnsupportedFormat

if TYPE_CHECKING:
    from speech_translator.engines.values import Samples
    from speech_translator.scalability.results import Transcription

WRITERS: Mapping[str, str] = {
    "txt": "to_text",
    "srt": "to_srt",
    "vtt": "to_vtt",
    "json": "to_json",
    "docx": "to_docx",
}
"""Transcript formats by the suffix of their files, with the function of ``exports`` for each."""

AUDIO_FORMATS: Mapping[str, str] = {
    ".wav": "wav",
    ".flac": "flac",
    ".opus": "opus",
    ".ogg": "opus",
    ".mp3": "mp3",
}
"""Audio formats by suffix."""


def transcript_formats(value: str) -> tuple[str, ...]:
    """The value of ``--format``: names with commas between them.

    Raises:
        UnsupportedFormat: one of them is not offered.
    """
    names = tuple(dict.fromkeys(part.strip().lower() for part in value.split(",") if part.strip()))
    if not names or not set(names) <= set(WRITERS):
        raise UnsupportedFormat(f"--format takes {', '.join(WRITERS)}, with commas between them.")
    return names


def audio_format(path: str, *, default: str | None = None) -> str:
    """The audio format that a file's suffix asks for; WAV through a pipe.

    Raises:
        UnsupportedFormat: the suffix is none that is offered.
    """
    if path == PIPE:
        return default or "wav"
    found = AUDIO_FORMATS.get(Path(path).suffix.lower())
    if found is None:
        raise UnsupportedFormat(f"Name the audio file with one of {', '.join(AUDIO_FORMATS)}.")
    return found


def write_file(path: Path, data: bytes) -> None:
    """Write a file as a whole: a reader sees the old content or the new, never a part.

    Raises:
        ConfigurationError: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # a device or a named pipe is written in place
            path.write_bytes(data)
            return
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101  mkstemp makes private files
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            os.unlink(temporary)  # noqa: PTH108
            raise
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be written: {error.strerror}.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_speech(target: str, samples: Samples, sample_rate: int, *, default: str = "wav") -> None:
    """Encode speech by the suffix of ``target`` and write it there.

    Raises:
        UnsupportedFormat: see ``audio_format``.
        ConfigurationError: see ``write_file``.
    """
    from speech_translator.media import encode  # noqa: PLC0415  start quickly

    data = encode(samples, sample_rate, audio_format=audio_format(target, default=default))
    if target == PIPE:
        write(data)
    else:
        write_file(Path(target), data)


@dataclass(frozen=True, slots=True)
class TranscriptWriter:
    """Writes the transcripts of one run.

    Attributes:
        formats: keys of ``WRITERS``.
        places: of each recording, without suffix; None writes to standard output.
        language: of the translation, for the names of files; None where there is none.
    """

    formats: Sequence[str]
    places: Mapping[Recording, Path] | None
    language: str | None = None

    def write(self, recording: Recording, transcription: Transcription) -> None:
        """Write one transcript in every format.

        Raises:
            ConfigurationError: see ``write_file``.
        """
        from speech_translator import exports  # noqa: PLC0415  start quickly

        translated = self.language is not None
        for suffix in self.formats:
            content = getattr(exports, WRITERS[suffix])(transcription, translated=translated)
            if self.places is None:
                write(content)
                continue
            data = content if isinstance(content, bytes) else content.encode()
            write_file(self.file(recording, suffix), data)

    def file(self, recording: Recording, suffix: str) -> Path:
        """Where one result of a recording goes. Raises ``KeyError`` for standard output."""
        stem = (self.places or {})[recording]
        language = f".{self.language}" if self.language else ""
        return stem.with_name(f"{stem.name}{language}.{suffix}")
