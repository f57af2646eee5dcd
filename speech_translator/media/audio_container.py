"""Open a container that nobody trusts, for its one audio track. Runs inside the sandbox.

PyAV opens what it is given with the demuxer that sniffing chose and no other, may open nothing
else by name, and decodes on one thread.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, Protocol, cast

import av
import av.error
from av.stream import Discard

from speech_translator.errors import DamagedAudio, NoAudioTrack, UnsupportedAudio
from speech_translator.media.sniffing import AudioFormat

if TYPE_CHECKING:
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
_RIFF_UNKNOWN_FROM = 0x7FFF_0000
"""RIFF sizes from here on are what tools write that do not know the length yet."""
_STATES_ITS_LENGTH = {
    AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.OGG, AudioFormat.MP4, AudioFormat.MATROSKA
}  # fmt: skip
"""Where libavformat reads the duration from; in the others it guesses from the bit rate."""
FAULTS = (av.error.FFmpegError, OSError, ValueError, ArithmeticError, LookupError, TypeError,
           AttributeError, RuntimeError)  # fmt: skip
"""What a hostile file makes PyAV raise: its own errors, and Python's from its conversions."""


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


def open_container(file: AudioSource, audio_format: AudioFormat) -> InputContainer:
    """The container; a stream that cannot seek is read no further than is needed.

    Raises:
        One of ``FAULTS``: it is damaged, or something else than sniffing took it for.
        UnsupportedAudio: it names a further file or address.
    """
    live = not file.seekable()
    options = {
        "format_whitelist": FORMAT_WHITELIST,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "protocol_whitelist": "none",
        "enable_drefs": "0",
    }
    if live:
        options |= {"fflags": "nobuffer", "analyzeduration": "0", "probesize": "2048"}
    container = av.open(
        file,
        format=_DEMUXER.get(audio_format, audio_format.value),
        container_options=options,
        metadata_errors="replace",
        buffer_size=4096 if live else 65_536,
        io_open=refuse_to_open,
    )
    return cast("InputContainer", container)


def select_stream(container: InputContainer) -> AudioStream:
    """The first audio track; nothing else is read.

    Raises:
        DamagedAudio, NoAudioTrack, UnsupportedAudio: there is none that can be.
    """
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


def stated_lengths(
    container: InputContainer, stream: AudioStream, audio_format: AudioFormat
) -> tuple[float | None, float]:
    """Seconds as the container states them, None where that is a guess; and as far as credible."""
    if audio_format not in _STATES_ITS_LENGTH:
        return None, 0.0
    stated = None
    if stream.duration is not None and stream.time_base is not None:
        stated = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        stated = container.duration / 1_000_000
    bit_rate = stream.codec_context.bit_rate
    if stated is not None and audio_format is AudioFormat.WAV and bit_rate:
        return stated, min(stated, container.size * 8 / bit_rate)  # headers of WAV files lie
    return stated, stated or 0.0


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
