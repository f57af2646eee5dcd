"""Samples into WAV, FLAC, Ogg/Opus or MP3, whole or as a stream.

Only audio of our own engines is encoded here, so it happens in the calling process; the calls are
synchronous and compute-bound, and belong in a thread where an event loop runs. PyAV is imported at
the first compressed encoding.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Literal, Protocol, cast, get_args

import numpy as np

from speech_translator.errors import UnsupportedFormat
from speech_translator.media.resampling import Samples, StreamResampler, resample

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

EncodedFormat = Literal["wav", "flac", "opus", "mp3"]

MEDIA_TYPES: dict[str, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
}
"""The Content-Type of each output format."""

OUTPUT_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz that output is offered in; Opus takes the next of its own five rates above."""

_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MUXER = {"flac": "flac", "opus": "ogg", "mp3": "mp3"}
_CODEC = {"flac": "flac", "opus": "libopus", "mp3": "libmp3lame"}
_SAMPLE_FORMAT = {"flac": "s16", "opus": "flt", "mp3": "fltp"}
_BIT_RATE = {"opus": 32_000, "mp3": 64_000}
_UNKNOWN_LENGTH = 0xFFFFFFFF


def encode(
    samples: Samples,
    sample_rate: int,
    *,
    audio_format: str = "wav",
    output_rate: int | None = None,
) -> bytes:
    """A whole file whose header states its true length.

    Args:
        samples: mono float32; NaN becomes 0, and values outside [-1, 1] are clipped.
        sample_rate: Hz of ``samples``.
        audio_format: ``wav`` (16 bit), ``flac``, ``opus`` (in Ogg) or ``mp3``.
        output_rate: Hz of the file, one of ``OUTPUT_RATES``; the rate of ``samples`` (or the next
            that the format has) by default.

    Raises:
        UnsupportedFormat: another format or rate.
    """
    rate = choose_rate(audio_format, sample_rate, output_rate)
    audio = _clean(resample(samples, sample_rate, rate))
    if audio_format == "wav":
        pcm = _to_int16(audio).tobytes()
        return _wav_header(rate, len(pcm)) + pcm
    file = io.BytesIO()
    writer = _CompressedWriter(file, audio_format, rate)
    writer.write(audio)
    writer.close()
    return file.getvalue()


def choose_rate(audio_format: str, sample_rate: int, output_rate: int | None = None) -> int:
    """The rate that a file will have. Raises ``UnsupportedFormat`` for what is not offered."""
    if audio_format not in get_args(EncodedFormat):
        raise UnsupportedFormat(
            "This audio format is not offered.", supported=list(get_args(EncodedFormat))
        )
    if output_rate is not None and output_rate not in OUTPUT_RATES:
        raise UnsupportedFormat(
            "This sample rate is not offered.", supported=[str(rate) for rate in OUTPUT_RATES]
        )
    offered = _OPUS_RATES if audio_format == "opus" else OUTPUT_RATES
    wanted = output_rate or sample_rate
    return next((rate for rate in offered if rate >= wanted), offered[-1])


class StreamEncoder:
    """Encodes one stream chunk by chunk, for chunked answers and live speech.

    The header goes out with the first bytes, so WAV and FLAC state an unknown length, as their
    formats provide for. Arguments and errors are those of ``encode``.
    """

    def __init__(
        self, sample_rate: int, *, audio_format: str = "wav", output_rate: int | None = None
    ) -> None:
        self.audio_format = audio_format
        self.output_rate = choose_rate(audio_format, sample_rate, output_rate)
        self._resampler = StreamResampler(sample_rate, self.output_rate)
        self._sink = _Sink()
        self._writer: _Writer = (
            _WavWriter(self._sink, self.output_rate)
            if audio_format == "wav"
            else _CompressedWriter(self._sink, audio_format, self.output_rate)
        )

    def feed(self, samples: Samples) -> bytes:
        """Bytes that are ready after ``samples``; it may be none."""
        self._writer.write(_clean(self._resampler.feed(samples)))
        return self._sink.take()

    def finish(self) -> bytes:
        """The rest of the file. The encoder takes nothing after it."""
        self._writer.write(_clean(self._resampler.finish()))
        self._writer.close()
        return self._sink.take()


class _Writer(Protocol):
    def write(self, samples: Samples) -> None: ...

    def close(self) -> None: ...


class _Sink(io.RawIOBase):
    """A file that cannot seek; what was written is taken away by its reader."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(cast("bytes", data))
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class _WavWriter:
    def __init__(self, sink: _Sink, rate: int) -> None:
        self._sink = sink
        sink.write(_wav_header(rate, None))

    def write(self, samples: Samples) -> None:
        self._sink.write(_to_int16(samples).tobytes())

    def close(self) -> None:
        """Nothing is held back."""


class _CompressedWriter:
    """PyAV's muxer and encoder over a file object."""

    def __init__(self, file: io.IOBase, audio_format: str, rate: int) -> None:
        import av  # noqa: PLC0415 - 0.2 s and 40 MB that WAV does not need
        from av.audio.fifo import AudioFifo  # noqa: PLC0415

        options = {"flush_packets": "1"}
        if audio_format == "opus":
            options["page_duration"] = "200000"  # microseconds; a page is what a player waits for
        self._container: OutputContainer = av.open(
            file, mode="w", format=_MUXER[audio_format], container_options=options
        )
        stream = self._container.add_stream(_CODEC[audio_format], rate=rate, layout="mono")
        self._stream: AudioStream = cast("AudioStream", stream)
        context = self._stream.codec_context
        context.format = _SAMPLE_FORMAT[audio_format]
        context.thread_count = 1
        if audio_format in _BIT_RATE:
            context.bit_rate = _BIT_RATE[audio_format]
        context.open()
        self._frame_type = av.AudioFrame
        self._fifo = AudioFifo()
        self._frame_size = context.frame_size or 1024
        self._begun = False
        self._rate = rate

    def write(self, samples: Samples) -> None:
        if samples.size == 0:
            return
        self._begun = True
        packed = self._stream.codec_context.format.name == "s16"
        data = _to_int16(samples) if packed else samples
        frame = self._frame_type.from_ndarray(
            data[np.newaxis, :], format=self._stream.codec_context.format.name, layout="mono"
        )
        frame.sample_rate = self._rate
        frame.pts = None
        self._fifo.write(frame)
        self._drain(partial=False)

    def close(self) -> None:
        if not self._begun:
            self.write(np.zeros(1, np.float32))  # muxers write no header without a frame
        self._drain(partial=True)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _drain(self, *, partial: bool) -> None:
        """Encode whole frames; the last one may be short."""
        while (frame := self._fifo.read(self._frame_size, partial=partial)) is not None:
            self._container.mux(self._stream.encode(frame))


def _clean(samples: Samples) -> Samples:
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def _to_int16(samples: Samples) -> np.ndarray:
    return np.round(samples * np.float32(32_767)).astype("<i2")


def _wav_header(rate: int, data_bytes: int | None) -> bytes:
    """A RIFF header for mono 16-bit PCM; an unknown length is all ones, as streaming tools do."""
    data = _UNKNOWN_LENGTH if data_bytes is None else data_bytes
    riff = _UNKNOWN_LENGTH if data_bytes is None else min(_UNKNOWN_LENGTH, 36 + data_bytes)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", riff, b"WAVE",
        b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16,
        b"data", data,
    )  # fmt: skip
