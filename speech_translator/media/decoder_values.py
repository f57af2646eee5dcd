"""What goes into the decoder pool and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speech_translator.media.resampling import Samples
from speech_translator.media.sniffing import AudioFormat


class TimeLeft(Protocol):
    """A deadline: ``reliability.deadlines.Deadline`` is one."""

    def remaining(self) -> float:
        """Seconds left; never below 0."""
        ...


class Upload(Protocol):
    """An open upload: ``media.upload.SpooledUpload`` is one."""

    def fileno(self) -> int:
        """A descriptor that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """How the pool works.

    Attributes:
        processes: decoders at the same time.
        memory_mb: address space that a decoder may add while it works, in MiB.
        timeout_s: seconds that one upload may take.
        stall_timeout_s: seconds without progress after which a decoder counts as hung.
        queue_limit: uploads that may wait; more are refused with ``Overloaded``.
        max_streams: live streams at the same time, beside the uploads.
        spool_dir: where decoded audio goes, as unlinked files; None is the system's own.
    """

    processes: int = 2
    memory_mb: int = 512
    timeout_s: float = 120.0
    stall_timeout_s: float = 20.0
    queue_limit: int = 64
    max_streams: int = 32
    spool_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A recording, ready for recognition.

    Attributes:
        samples: float32, mono, 16 kHz, in [-1, 1]; read-only. Long recordings are mapped from an
            unlinked file, which goes when the array does.
        duration: seconds.
        format: container, by content.
        codec: libavcodec's name.
        sample_rate: Hz of the source.
        channels: of the source.
        truncated: whether a part could not be decoded.
    """

    samples: Samples
    duration: float
    format: AudioFormat
    codec: str
    sample_rate: int
    channels: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of one live stream.

    Attributes:
        max_seconds: length of the whole stream.
        max_burst_s: seconds of audio that one ``feed`` may hold; memory is bounded by it.
        timeout_s: seconds that one ``feed`` may take.
    """

    max_seconds: float = 4 * 3600.0
    max_burst_s: float = 60.0
    timeout_s: float = 10.0
