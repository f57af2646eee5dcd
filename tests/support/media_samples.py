"""Audio files of every accepted container, made by PyAV from a tone. No program is needed."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TONE_HZ = 440.0


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """A sine at half scale, float32[channels, n]; every channel holds the same."""
    n = round(seconds * rate)
    wave = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(n) / rate)
    return np.repeat(wave[np.newaxis, :], channels, axis=0).astype(np.float32)


def mux(
    container: str,
    codec: str,
    audio: np.ndarray,
    rate: int,
    *,
    layout: str | None = None,
    options: dict[str, str] | None = None,
    video: bool = False,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """Encode float32[channels, n] into a file."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        output.metadata.update(metadata or {})
        picture = _add_video(output) if video else None
        names = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
        layout = layout or names[audio.shape[0]]
        stream = output.add_stream(
            codec, rate=rate, layout=layout, options={"strict": "experimental"}
        )
        formats = [f.name for f in stream.codec_context.codec.audio_formats]
        wanted = next(
            (f for f in ("fltp", "flt", "s16", "s16p", "s32") if f in formats), formats[0]
        )
        stream.codec_context.format = wanted
        stream.codec_context.open()
        if picture is not None:
            output.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        resampler = av.AudioResampler(
            wanted, layout, rate, frame_size=stream.codec_context.frame_size or 1024
        )
        interleaved = np.ascontiguousarray(audio.T, np.float32).reshape(1, -1)
        source = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
        source.sample_rate = rate
        position = 0
        for frame in [*resampler.resample(source), *resampler.resample(None)]:
            frame.pts, frame.time_base = position, Fraction(1, rate)
            position += frame.samples
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if picture is not None:
            output.mux(picture.encode(None))
    return file.getvalue()


def _add_video(output: av.container.OutputContainer) -> av.VideoStream:
    stream = output.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    return stream


def video_only(container: str = "mp4") -> bytes:
    """A file with a picture and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = _add_video(output)
        for _ in range(10):
            output.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(stream.encode(None))
    return file.getvalue()


def wav(
    data: bytes,
    *,
    rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    tag: int = 1,
    stated: int | None = None,
) -> bytes:
    """A RIFF file around raw samples; ``stated`` is the length that its header claims."""
    size = len(data) if stated is None else stated
    block = channels * bits // 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", min(36 + size, 0xFFFFFFFF), b"WAVE", b"fmt ", 16, tag,
        channels, rate, rate * block, block, bits, b"data", size,
    ) + data  # fmt: skip


def every_container(seconds: float = 2.0) -> dict[str, bytes]:
    """One file of each accepted kind, by a name that says what it is."""
    rate = 16_000
    mono, stereo = tone(seconds, rate), tone(seconds, 48_000, 2)
    narrow = tone(seconds, 8_000)
    fragments = {"movflags": "empty_moov+frag_keyframe+default_base_moof"}
    return {
        "wav-s16": mux("wav", "pcm_s16le", mono, rate),
        "wav-s24-stereo": mux("wav", "pcm_s24le", stereo, 48_000),
        "wav-f32": mux("wav", "pcm_f32le", mono, rate),
        "wav-f64": mux("wav", "pcm_f64le", mono, rate),
        "wav-u8": mux("wav", "pcm_u8", narrow, 8_000),
        "wav-mulaw": mux("wav", "pcm_mulaw", narrow, 8_000),
        "wav-alaw": mux("wav", "pcm_alaw", narrow, 8_000),
        "wav-adpcm": mux("wav", "adpcm_ms", mono, rate),
        "wav-rf64": mux("wav", "pcm_s16le", mono, rate, options={"rf64": "always"}),
        "flac": mux("flac", "flac", mono, rate),
        "flac-stereo": mux("flac", "flac", stereo, 48_000),
        "ogg-opus": mux("ogg", "libopus", stereo, 48_000),
        "ogg-vorbis": mux("ogg", "vorbis", stereo, 48_000),
        "ogg-flac": mux("ogg", "flac", mono, rate),
        "mp3": mux("mp3", "libmp3lame", mono, rate, options={"id3v2_version": "0"}),
        "mp3-bare": mux(
            "mp3", "libmp3lame", mono, rate, options={"id3v2_version": "0", "write_xing": "0"}
        ),
        "mp3-id3": mux("mp3", "libmp3lame", stereo, 48_000, metadata={"title": "x" * 40_000}),
        "m4a": mux("ipod", "aac", stereo, 48_000),
        "m4a-alac": mux("ipod", "alac", stereo, 48_000),
        "mp4-with-video": mux("mp4", "aac", mono, rate, video=True),
        "mp4-fragmented": mux("mp4", "aac", mono, rate, options=fragments),
        "mov": mux("mov", "pcm_s16le", mono, rate),
        "3gp": mux("3gp", "libopencore_amrnb", narrow, 8_000),
        "webm": mux("webm", "libopus", stereo, 48_000),
        "mkv-aac": mux("matroska", "aac", mono, rate),
        "mkv-with-video": mux("matroska", "libmp3lame", mono, rate, video=True),
        "aac-adts": mux("adts", "aac", mono, rate),
        "amr-nb": mux("amr", "libopencore_amrnb", narrow, 8_000),
    }  # fmt: skip


def open_descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def mov_with_external_media(target: str) -> bytes:
    """A QuickTime file whose only track keeps its samples in another file, by a relative name.

    The data reference is an alias record, as old editing programs write them; its absolute path
    (record type 2) is what libavformat follows where ``enable_drefs`` lets it.
    """
    mov = mux("mov", "pcm_s16le", tone(0.5, 16_000), 16_000)
    path = target.encode()
    alias = bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16)
    alias += struct.pack(">HH", 1, 1) + bytes(16)
    alias += struct.pack(">HH", 2, len(path)) + path + bytes(len(path) % 2)
    alias += struct.pack(">hH", -1, 0)
    reference = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    dref = struct.pack(">I4sII", 16 + len(reference), b"dref", 0, 1) + reference
    return _replace_box(mov, [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], dref)


def _replace_box(data: bytes, path: list[bytes], box: bytes) -> bytes:
    """Put ``box`` in the place of the last one named that is found along ``path``."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == path[0]:
            inner = (
                box
                if len(path) == 1
                else data[at : at + 8] + _replace_box(data[at + 8 : at + size], path[1:], box)
            )
            inner = struct.pack(">I", len(inner)) + inner[4:]
            return data[:at] + inner + data[at + size :]
        at += size
    raise LookupError(path)


class _Pieces(io.RawIOBase):
    """A file that cannot seek and keeps what each write held."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.pieces.append(bytes(data))
        return len(self.pieces[-1])


def live_stream(
    container: str,
    audio: np.ndarray,
    *,
    rate: int = 48_000,
    left_out: tuple[float, float] = (0.0, 0.0),
) -> list[bytes]:
    """Opus as a browser's recorder sends it: clusters or pages of 100 ms, no lengths, no index.

    Packets between the two times of ``left_out`` are not there, as in discontinuous transmission.
    """

    def mux(packets: list[av.Packet]) -> None:
        for packet in packets:
            at = float((packet.pts or 0) * packet.time_base)
            if not left_out[0] <= at < left_out[1]:
                output.mux(packet)

    clusters = {"live": "1", "cluster_time_limit": "100"}
    options = clusters if container == "webm" else {"page_duration": "100000"}
    sink = _Pieces()
    with av.open(sink, "w", format=container, options=options | {"flush_packets": "1"}) as output:
        stream = output.add_stream("libopus", rate=rate, layout="mono")
        stream.codec_context.open()
        step = rate // 50
        for at in range(0, audio.shape[1], step):
            samples = np.ascontiguousarray(audio[:, at : at + step])
            frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
            frame.sample_rate, frame.pts = rate, at
            mux(stream.encode(frame))
        mux(stream.encode(None))
    return sink.pieces
