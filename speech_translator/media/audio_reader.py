"""Decode one container into mono float32 at 16 kHz, within bounds. Runs inside the sandbox.

The container is opened by ``audio_container.py``. Samples go to a sink chunk by chunk, so memory
does not grow with the length of the recording.
"""

from __future__ import annotations

import contextlib
import io
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

import av
import av.error
import av.logging
import numpy as np

from speech_translator.errors import AudioTooLong, DamagedAudio, EmptyAudio
from speech_translator.media.audio_container import (
    FAULTS,
    AudioSource,
    check_rate,
    is_cut_riff,
    open_container,
    select_stream,
    stated_lengths,
)
from speech_translator.media.downmix import clean, to_mono
from speech_translator.media.resampling import Samples, StreamResampler
from speech_translator.media.sniffing import AudioFormat
from speech_translator.media.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_MIN_USABLE_S = 0.1
"""Seconds that must have come out of a damaged file for it to count as truncated, not damaged."""
_LENGTH_TOLERANCE_S = 0.1
"""Encoders pad their last frame; a recording that is as long as the limit must still pass."""
_SHORTFALL = 0.1
"""Seconds, and share, by which a file may miss its stated length and not count as truncated."""
_MAX_BAD_PACKETS = 2_000
_PROGRESS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class ReadSummary:
    """What was read: source facts and the number of 16 kHz samples that went to the sink."""

    samples: int
    codec: str
    sample_rate: int
    channels: int
    truncated: bool


class AudioReader:
    """Reads one upload.

    Args:
        file: the upload; where it cannot seek it is taken for a live stream: every packet is
            passed on at once, and silence that its encoder left out is put back.
        audio_format: what sniffing found.
        sink: takes float32 samples at 16 kHz.
        max_seconds: length after which reading stops with ``AudioTooLong``.
        progress: called about once a second with the seconds of audio that are done.
    """

    def __init__(
        self,
        file: AudioSource,
        audio_format: AudioFormat,
        sink: Callable[[Samples], None],
        *,
        max_seconds: float,
        progress: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._file = file
        self._format = audio_format
        self._live = not file.seekable()
        self._sink = sink
        self._max_seconds = max_seconds + _LENGTH_TOLERANCE_S
        self._progress = progress
        self._next_progress = time.monotonic() + _PROGRESS_EVERY_S
        self._resampler: StreamResampler | None = None
        self._pending: list[Samples] = []
        self._pending_samples = 0
        self._seconds = 0.0
        self._written = 0
        self._bad_packets = 0
        self._cut = False
        self._timeline = Timeline()

    def read(self) -> ReadSummary:
        """Decode everything.

        Raises:
            InvalidAudio: one of its kinds; see errors.py. Samples that went to the sink before
                are void then.
        """
        self._cut = (
            self._format is AudioFormat.WAV
            and not self._live
            and is_cut_riff(cast("BinaryIO", self._file))
        )
        try:
            container = open_container(self._file, self._format)
        except FAULTS as error:
            if self._live and isinstance(error, av.error.EOFError):
                raise EmptyAudio("The stream ended before any sound.") from error
            raise DamagedAudio("The file cannot be read as audio.") from error
        with container:
            stream = select_stream(container)
            stated_s = None if self._live else self._stated_seconds(container, stream)
            for frame in self._frames(container, stream):
                self._take(frame)
            self._flush_resampler()
            return self._summarise(stream, stated_s)

    def _stated_seconds(self, container: InputContainer, stream: AudioStream) -> float | None:
        """The length by the container, where it is not a guess. Too long ends here."""
        stated, credible = stated_lengths(container, stream, self._format)
        if credible > self._max_seconds:
            self._too_long()
        return stated

    def _frames(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
        """Frames until the end or until nothing more can be read. Bad packets are left out."""
        packets = container.demux(stream)
        while self._bad_packets < _MAX_BAD_PACKETS:
            try:
                packet = next(packets, None)
            except FAULTS:
                self._bad_packets += 1
                break
            if packet is None:
                break
            try:
                yield from packet.decode()
            except FAULTS:
                self._bad_packets += 1
            self._report()

    def _take(self, frame: AudioFrame) -> None:
        rate = frame.sample_rate
        check_rate(rate)
        if self._resampler is None or self._resampler.from_rate != rate:
            self._flush_resampler()
            self._resampler = StreamResampler(rate)
        seconds = frame.samples / rate
        pause_s = self._timeline.silence_before(frame.time, seconds) if self._live else 0.0
        self._seconds += pause_s + seconds
        if self._seconds > self._max_seconds:
            self._too_long()
        if pause_s:
            self._pending.append(np.zeros(round(pause_s * rate), np.float32))
        try:
            self._pending.append(to_mono(frame))
        except FAULTS:  # a sample format or layout that PyAV does not hand over
            self._bad_packets += 1
            return
        self._pending_samples += frame.samples
        if self._live or self._pending_samples >= rate:
            self._flush_pending()

    def _flush_pending(self) -> None:
        if self._resampler is not None and self._pending:
            self._emit(self._resampler.feed(clean(np.concatenate(self._pending))))
            self._pending.clear()
            self._pending_samples = 0

    def _flush_resampler(self) -> None:
        self._flush_pending()
        if self._resampler is not None:
            self._emit(self._resampler.finish())
            self._resampler = None

    def _emit(self, samples: Samples) -> None:
        if samples.size:
            self._sink(np.clip(samples, -1.0, 1.0))
            self._written += samples.size

    def _report(self) -> None:
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + _PROGRESS_EVERY_S
            self._progress(self._seconds)

    def _summarise(self, stream: AudioStream, stated_s: float | None) -> ReadSummary:
        short = self._cut or (
            stated_s is not None and self._seconds < stated_s * (1 - _SHORTFALL) - _SHORTFALL
        )
        damaged = self._bad_packets > 0 or short
        if self._written == 0 and not damaged:
            raise EmptyAudio("The file holds no sound.")
        if damaged and self._seconds < _MIN_USABLE_S:
            raise DamagedAudio("The file is damaged: no usable sound came out of it.")
        return ReadSummary(
            samples=self._written,
            codec=stream.codec_context.name,
            sample_rate=stream.codec_context.sample_rate,
            channels=stream.codec_context.layout.nb_channels,
            truncated=damaged,
        )

    def _too_long(self) -> NoReturn:
        raise AudioTooLong("The recording is longer than the limit.")


def warm_up() -> None:
    """Do every step of a job once, so that a decoder finds all modules loaded and opens no file."""
    av.logging.set_level(av.logging.PANIC)
    eight_channels = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 7680, b"WAVE", b"fmt ", 16, 1, 8, 48_000, 768_000, 16,
        16, b"data", 7680,
    ) + bytes(7680)  # fmt: skip
    AudioReader(
        io.BytesIO(eight_channels), AudioFormat.WAV, lambda _samples: None, max_seconds=1.0
    ).read()
    planar = av.AudioFrame(format="fltp", layout="7.1", samples=480)
    planar.sample_rate = 48_000
    to_mono(planar)
    with contextlib.suppress(DamagedAudio):
        AudioReader(
            io.BytesIO(b"fLaC" * 9), AudioFormat.FLAC, lambda _samples: None, max_seconds=1.0
        ).read()
