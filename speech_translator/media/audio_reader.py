"""Decode one container into mono float32 at 16 kHz, within bounds. Runs inside the sandbox.

PyAV opens what it is given with the demuxer that sniffing chose and no other, may open nothing
else by name, and decodes on one thread. Samples go to a sink chunk by chunk, so memory does not
grow with the length of the recording.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Protocol, cast

import av
import av.error
import av.logging
import numpy as np
from av.stream import Discard

from speech_translator.errors import (
    AudioTooLong,
    DamagedAudio,
    EmptyAudio,
    NoAudioTrack,
    UnsupportedAudio,
)
from speech_translator.media.downmix import clean, to_mono
from speech_translator.media.resampling import Samples, StreamResampler
from speech_translator.media.sniffing import AudioFormat
from speech_translator.media.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

FORMAT_WHITELIST = "matroska,webm,ogg,mp3,mov,mp4,m4a,3gp,wav,flac,aac,amr"
"""Demuxers that libavformat may use, also for what a container embeds or points to."""

_DEMUXER = {AudioFormat.MP4: "mov"}  # the others are called as the format is

CODECS = frozenset(
    {
        "aac",
        "aac_fixed",
        "alac",
        "mp1float",
        "mp2float",
        "mp3float",
        "mp3",
        "opus",
        "libopus",
        "vorbis",
        "speex",
        "flac",
        "amrnb",
        "amrwb",
        "libopencore_amrnb",
        "libopencore_amrwb",
        "ac3",
        "eac3",
        "adpcm_ms",
        "adpcm_ima_wav",
        "adpcm_ima_qt",
        "gsm_ms",
        "gsm",
    }
)
"""Decoders that may run, beside all of plain PCM (``pcm_*``)."""

MIN_RATE, MAX_RATE = 4_000, 768_000
_MIN_USABLE_S = 0.1
"""Seconds that must have come out of a damaged file for it to count as truncated, not damaged."""
_LENGTH_TOLERANCE_S = 0.1
"""Encoders pad their last frame; a recording that is as long as the limit must still pass."""
_SHORTFALL = 0.1
"""Seconds, and share, by which a file may miss its stated length and not count as truncated."""
_MAX_BAD_PACKETS = 2_000
_RIFF_UNKNOWN_FROM = 0x7FFF_0000
"""RIFF sizes from here on are what tools write that do not know the length yet."""
_STATES_ITS_LENGTH = {
    AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.OGG, AudioFormat.MP4, AudioFormat.MATROSKA
}  # fmt: skip
"""Where libavformat reads the duration from; in the others it guesses from the bit rate."""
_PROGRESS_EVERY_S = 1.0
# What a hostile file makes PyAV raise: its own errors, and Python's from its conversions.
_FAULTS = (av.error.FFmpegError, OSError, ValueError, ArithmeticError, LookupError, TypeError,
           AttributeError, RuntimeError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadSummary:
    """What was read: source facts and the number of 16 kHz samples that went to the sink."""

    samples: int
    codec: str
    sample_rate: int
    channels: int
    truncated: bool


def refuse_to_open(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """Stands where libavformat would open a further file or address that an upload names."""
    del url, flags, options
    raise UnsupportedAudio("The file refers to another file or address.")


class AudioSource(Protocol):
    """What is read from: a file, or a stream that cannot seek."""

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` bytes; none at the end."""
        ...

    def seekable(self) -> bool:
        """Whether it is a file."""
        ...


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
            container = self._open()
        except _FAULTS as error:
            if self._live and isinstance(error, av.error.EOFError):
                raise EmptyAudio("The stream ended before any sound.") from error
            raise DamagedAudio("The file cannot be read as audio.") from error
        with container:
            stream = self._select(container)
            stated_s = self._stated_seconds(container, stream)
            for frame in self._frames(container, stream):
                self._take(frame)
            self._flush_resampler()
            return self._summarise(stream, stated_s)

    def _open(self) -> InputContainer:
        options = {
            "format_whitelist": FORMAT_WHITELIST,
            "codec_whitelist": ",".join(sorted(CODECS)),
            "protocol_whitelist": "none",
            "enable_drefs": "0",
        }
        if self._live:
            options |= {"fflags": "nobuffer", "analyzeduration": "0", "probesize": "2048"}
        container = av.open(
            self._file,
            format=_DEMUXER.get(self._format, self._format.value),
            container_options=options,
            metadata_errors="replace",
            buffer_size=4096 if self._live else 65_536,
            io_open=refuse_to_open,
        )
        return cast("InputContainer", container)

    def _select(self, container: InputContainer) -> AudioStream:
        """The first audio track; nothing else is read."""
        if not container.streams.audio:
            if len(container.streams) == 0:
                raise DamagedAudio("The file holds no track at all.")
            raise NoAudioTrack("The file holds no audio track.")
        stream = container.streams.audio[0]
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        context: Any = stream.codec_context
        name = "" if context is None else context.name
        if name not in CODECS and not name.startswith("pcm_"):
            raise UnsupportedAudio("The audio codec is not one of those that are accepted.")
        if context.sample_rate:
            check_rate(context.sample_rate)
        context.thread_count = 1
        return stream

    def _stated_seconds(self, container: InputContainer, stream: AudioStream) -> float | None:
        """The length by the container, where it is not a guess. Too long ends here."""
        if self._format not in _STATES_ITS_LENGTH or self._live:
            return None
        stated = None
        if stream.duration is not None and stream.time_base is not None:
            stated = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            stated = container.duration / 1_000_000
        bit_rate = stream.codec_context.bit_rate
        if stated is not None and self._format is AudioFormat.WAV and bit_rate:
            stated_s = min(stated, container.size * 8 / bit_rate)  # headers of WAV files lie
        else:
            stated_s = stated or 0.0
        if stated_s > self._max_seconds:
            self._too_long()
        return stated

    def _frames(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
        """Frames until the end or until nothing more can be read. Bad packets are left out."""
        packets = container.demux(stream)
        while self._bad_packets < _MAX_BAD_PACKETS:
            try:
                packet = next(packets, None)
            except _FAULTS:
                self._bad_packets += 1
                break
            if packet is None:
                break
            try:
                yield from packet.decode()
            except _FAULTS:
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
        except _FAULTS:  # a sample format or layout that PyAV does not hand over
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


def check_rate(rate: int) -> None:
    """Raise ``UnsupportedAudio`` for a rate that no recorder has."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UnsupportedAudio("The sample rate is out of range.")


def is_cut_riff(file: BinaryIO) -> bool:
    """Whether a RIFF file is shorter than it says; writers of streams say nothing sensible."""
    header = file.read(8)
    stated = int.from_bytes(header[4:8], "little")
    actual = file.seek(0, os.SEEK_END)
    file.seek(0)
    return header[:4] == b"RIFF" and actual - 8 < stated < _RIFF_UNKNOWN_FROM


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
