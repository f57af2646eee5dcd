"""A client's binary messages into samples: raw ones here, containers by a sandboxed decoder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from speech_translator.engines.values import Samples
from speech_translator.errors import UnsupportedAudio
from speech_translator.media.decoder_values import StreamLimits
from speech_translator.media.pcm import PcmDecoder
from speech_translator.media.resampling import SAMPLE_RATE
from speech_translator.media.sniffing import AudioFormat as Container
from speech_translator.streaming.messages import AudioFormat

CONTAINERS: dict[str, tuple[Container, bytes]] = {
    "webm_opus": (Container.MATROSKA, b"\x1a\x45\xdf\xa3"),
    "ogg_opus": (Container.OGG, b"OggS"),
}
"""The demuxer of each encoding, and how such a stream begins."""

_PIECE_BYTES = 1024
"""Of a container at once: a quarter of a second, but half a minute where silence is left out."""

_SLACK_S = 60.0


class Decoding(Protocol):
    """A live stream in a decoder; ``media.streaming_decoder.StreamingDecoder`` is one."""

    async def feed(self, data: bytes) -> Samples:
        """All that can be decoded after ``data``. Raises ``InvalidAudio``."""
        ...

    async def finish(self) -> Samples:
        """The rest. Raises ``InvalidAudio``."""
        ...

    async def close(self) -> None:
        """Let go of it; twice does no harm."""
        ...


class OpensStreams(Protocol):
    """What gives out decoders of live streams; ``media.DecoderPool`` is one."""

    async def open_stream(self, *, audio_format: Container, limits: StreamLimits) -> Decoding:
        """A decoder for one stream.

        Raises:
            Unavailable: there is none to be had.
        """
        ...


class AudioInput(Protocol):
    """What turns a session's binary messages into mono float32 at 16 kHz."""

    def samples(self, message: bytes) -> AsyncIterator[Samples]:
        """The samples that are ready after a message, a few seconds at a time.

        Raises:
            InvalidAudio: the stream is not what it was said to be, or damaged; it is over.
        """
        ...

    async def finish(self) -> Samples:
        """What was held back. Raises ``InvalidAudio``."""
        ...

    async def close(self) -> None:
        """Let go of everything; twice does no harm."""
        ...


class RawInput:
    """PCM and mu-law, decoded on the spot.

    Args:
        decoder: of the encoding and rate.
    """

    def __init__(self, decoder: PcmDecoder) -> None:
        self._decoder = decoder

    async def samples(self, message: bytes) -> AsyncIterator[Samples]:
        """All that is ready, at once."""
        yield self._decoder.feed(message)

    async def finish(self) -> Samples:
        """What the resampler held back."""
        return self._decoder.finish()

    async def close(self) -> None:
        """There is nothing to let go of."""


class ContainerInput:
    """Opus in a container, as browsers record it.

    Args:
        encoding: which container, one of ``CONTAINERS``.
        decoding: its decoder.
    """

    def __init__(self, encoding: str, decoding: Decoding) -> None:
        self._encoding = encoding
        self._decoding = decoding
        self._head = b""

    async def samples(self, message: bytes) -> AsyncIterator[Samples]:
        """What comes out of a message, piece by piece: a little Opus may be much silence."""
        self._check_head(message)
        for start in range(0, len(message), _PIECE_BYTES):
            yield await self._decoding.feed(message[start : start + _PIECE_BYTES])

    async def finish(self) -> Samples:
        """The last frames."""
        return await self._decoding.finish()

    async def close(self) -> None:
        """End the decoder."""
        await self._decoding.close()

    def _check_head(self, message: bytes) -> None:
        """Refuse what is something else, with words that help more than "damaged"."""
        _, magic = CONTAINERS[self._encoding]
        if len(self._head) < len(magic):
            self._head += message[: len(magic) - len(self._head)]
            if not magic.startswith(self._head):
                raise UnsupportedAudio(
                    f"The audio is not {self._encoding}: the stream must begin at its beginning, "
                    "header first.",
                    encoding=self._encoding,
                )


async def open_input(audio: AudioFormat, decoders: OpensStreams, max_s: float) -> AudioInput:
    """What reads the audio of a session; close it afterwards.

    Args:
        audio: as the client described it.
        decoders: gives out decoders for containers.
        max_s: longest session, in seconds of its audio.

    Raises:
        Unavailable: no decoder is to be had.
    """
    if audio.encoding not in CONTAINERS:
        return RawInput(PcmDecoder(audio.encoding, audio.sample_rate or SAMPLE_RATE))
    container, _ = CONTAINERS[audio.encoding]
    # A little more than the session takes: that one ends with better words.
    limits = StreamLimits(max_seconds=max_s + _SLACK_S)
    return ContainerInput(
        audio.encoding, await decoders.open_stream(audio_format=container, limits=limits)
    )
