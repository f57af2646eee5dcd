"""One job of the decoder pool: its input, its message, its errors and its samples."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from speech_translator.errors import (
    AudioTooLong,
    DamagedAudio,
    EmptyAudio,
    InvalidAudio,
    NoAudioTrack,
    Overloaded,
    UnsupportedAudio,
)
from speech_translator.media.decoder_link import ProcessLostError
from speech_translator.media.decoder_protocol import NO_SPACE
from speech_translator.media.decoder_values import StreamLimits, Upload
from speech_translator.media.resampling import Samples
from speech_translator.media.sniffing import AudioFormat, sniff_file

_LONGEST_S = 1e6
_LARGEST = 1e15
_LONGEST_NAME = 64
_STREAM_CPU_S = 1800
_SAMPLE_BYTES = 4
_IN_MEMORY_BYTES = 4 << 20
"""Shorter results are read into memory; longer ones stay in their file and are mapped."""


class JobLostError(ProcessLostError):
    """A decoder was lost after it had taken the job."""


@dataclass(frozen=True, slots=True)
class Job:
    """One upload to decode, until ``at`` in the pool's time."""

    file: BinaryIO
    audio_format: AudioFormat
    max_seconds: float
    timeout_s: float
    at: float
    progress: Callable[[float], None]

    def message(self) -> bytes:
        """What the decoder is told."""
        fields = {
            "live": False,
            "format": self.audio_format.value,
            "max_seconds": min(self.max_seconds, _LONGEST_S),
            "cpu_seconds": math.ceil(self.timeout_s) + 1,
        }
        return json.dumps(fields).encode()


def stream_job(audio_format: AudioFormat, limits: StreamLimits) -> bytes:
    """What the decoder of a live stream is told."""
    fields = {
        "live": True,
        "format": audio_format.value,
        "max_seconds": min(limits.max_seconds, _LONGEST_S),
        "cpu_seconds": _STREAM_CPU_S,
    }
    return json.dumps(fields).encode()


def reopen(source: Path | Upload) -> BinaryIO:
    """The upload as an open file with a position of its own."""
    path = source if isinstance(source, Path) else Path(f"/proc/self/fd/{source.fileno()}")
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO would block for ever
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnsupportedAudio("Only files can be decoded.")
    return os.fdopen(fd, "rb")


def identify(file: BinaryIO) -> AudioFormat:
    """The upload's format. Raises ``EmptyAudio`` or ``UnsupportedAudio``."""
    if os.fstat(file.fileno()).st_size == 0:
        raise EmptyAudio("The file is empty.")
    audio_format = sniff_file(file)
    if audio_format is None:
        raise UnsupportedAudio(
            "The file is not one of the audio formats that are accepted.",
            supported=[accepted.value for accepted in AudioFormat],
        )
    return audio_format


def parse(body: bytes) -> dict[str, object]:
    """What a decoder says, which is not believed further than its types."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProcessLostError from error
    if not isinstance(fields, dict):
        raise ProcessLostError
    return fields


def number(fields: dict[str, object], key: str) -> float:
    """A number of a decoder's answer; 0 where it is missing. Raises ``ProcessLostError``."""
    value = fields.get(key, 0)
    if not isinstance(value, int | float) or not 0 <= value < _LARGEST:
        raise ProcessLostError
    return value


def name(fields: dict[str, object], key: str) -> str:
    """A plain name of a decoder's answer. Raises ``ProcessLostError``."""
    value = fields.get(key)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isidentifier():
        raise ProcessLostError
    return value


@dataclass(frozen=True, slots=True)
class Source:
    """What a decoder found out about an upload."""

    codec: str
    sample_rate: int
    channels: int
    truncated: bool

    @classmethod
    def of(cls, fields: dict[str, object]) -> Source:
        """From a decoder's answer. Raises ``ProcessLostError``."""
        return cls(
            codec=name(fields, "codec"),
            sample_rate=int(number(fields, "sample_rate")),
            channels=int(number(fields, "channels")),
            truncated=fields.get("truncated") is True,
        )


def error_of(code: str, max_seconds: float) -> Exception:
    """The error of a code. Its words are ours: nothing that a decoder writes is passed on."""
    errors: dict[str, InvalidAudio] = {
        EmptyAudio.code: EmptyAudio("The file holds no sound."),
        NoAudioTrack.code: NoAudioTrack("The file holds no audio track."),
        UnsupportedAudio.code: UnsupportedAudio(
            "The audio in this file is of a kind that is not accepted."
        ),
        AudioTooLong.code: AudioTooLong(
            f"The recording is longer than {max_seconds:g} seconds.", limit_s=max_seconds
        ),
    }
    if code == NO_SPACE:
        return Overloaded("There is no room to decode the recording.", retry_after=30.0)
    return errors.get(code, DamagedAudio("The file is damaged and cannot be decoded."))


def load(spool: BinaryIO) -> Samples:
    """The samples of a finished job. Its writer is gone, so the file cannot change any more."""
    count = os.fstat(spool.fileno()).st_size // _SAMPLE_BYTES
    if count == 0:
        raise EmptyAudio("The file holds no sound.")
    if count * _SAMPLE_BYTES <= _IN_MEMORY_BYTES:
        spool.seek(0)
        samples = np.frombuffer(spool.read(count * _SAMPLE_BYTES), np.float32)
    else:
        samples = np.memmap(spool, np.float32, mode="r", shape=(count,))
    return samples
