"""Where live sound comes from: a pipe, a file, a microphone; always as 16 kHz mono 16-bit PCM."""

from __future__ import annotations

import asyncio
import shutil
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, BinaryIO

from speech_translator.cli.lines import chunks
from speech_translator.cli.terminal import printable
from speech_translator.errors import ConfigurationError, InvalidAudio, UnsupportedAudio

if TYPE_CHECKING:
    from speech_translator.engines.values import Samples

RATE = 16_000
RECORDERS = {
    "arecord": ("-q", "-t", "raw", "-f", "S16_LE", "-r", str(RATE), "-c", "1"),
    "parec": ("--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=100"),
}
"""Programs that record, and how; arecord is in Debian's alsa-utils, parec in pulseaudio-utils."""

_OTHERS = (b"OggS", b"fLaC", b"ID3", b"\x1a\x45\xdf\xa3")
"""How files begin that are no WAV, and would be heard as noise."""

_CHUNK_S = 0.1
_CHUNK_BYTES = 2 * RATE // 10
_MAX_HEAD_BYTES = 64 * 1024
_RIFF_BYTES = 12
_FORMAT = struct.Struct("<HHIIHH")
_SUBFORMAT = 24
_PCM, _EXTENSIBLE, _BITS = 1, 0xFFFE, 16
_CHANNELS, _RATES = range(1, 9), range(1_000, 384_001)
_ENDLESS = 0x7FFF_0000
"""Lengths above it are what programs write that do not know the length."""


class WavHead:
    """Takes the header off a WAV file that comes through a pipe; raw PCM has none.

    ``channels`` and ``rate`` are those of the samples, ``left`` the bytes of sound that come, None
    where that is not known.
    """

    def __init__(self) -> None:
        self.channels, self.rate = 1, RATE
        self.left: int | None = None
        self._head: bytearray | None = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The sound in ``data``, without the header.

        Raises:
            UnsupportedAudio: a WAV file that holds no 16-bit PCM, or another kind of file.
        """
        if self._head is None:
            return self._cut(data)
        self._head += data
        if len(self._head) < _RIFF_BYTES and b"RIFF".startswith(bytes(self._head[:4])):
            return b""
        if self._head[:4] != b"RIFF":
            self._refuse_others()
            return self._begin(0)
        place = _RIFF_BYTES
        while len(self._head) >= place + 8:
            name, size = struct.unpack_from("<4sI", self._head, place)
            if name == b"data":
                self.left = size if 0 < size < _ENDLESS else None
                return self._begin(place + 8)
            if len(self._head) < place + 8 + size:
                break
            if name == b"fmt ":
                self._format(bytes(self._head[place + 8 : place + 8 + size]))
            place += 8 + size + size % 2
        if len(self._head) > _MAX_HEAD_BYTES:
            raise UnsupportedAudio("The header of the WAV file does not end.")
        return b""

    def finish(self) -> bytes:
        """What is left of a stream that ended within its first bytes."""
        head, self._head = self._head, None
        return bytes(head) if head and head[:4] != b"RIFF" else b""

    def _begin(self, place: int) -> bytes:
        sound = bytes((self._head or b"")[place:])
        self._head = None
        return self._cut(sound)

    def _cut(self, data: bytes) -> bytes:
        """What belongs to the sound: other chunks may stand behind it."""
        if self.left is None:
            return data
        sound = data[: self.left]
        self.left -= len(sound)
        return sound

    def _refuse_others(self) -> None:
        if bytes((self._head or b"")[:4]).startswith(_OTHERS):
            raise UnsupportedAudio(
                "Through a pipe, sound comes as WAV or as raw 16 kHz mono 16-bit PCM; other files "
                "go by --file."
            )

    def _format(self, chunk: bytes) -> None:
        if len(chunk) < _FORMAT.size:
            raise UnsupportedAudio("The header of the WAV file is damaged.")
        kind, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
        if kind == _EXTENSIBLE:
            kind = int.from_bytes(chunk[_SUBFORMAT : _SUBFORMAT + 2], "little")
        if (kind, bits) != (_PCM, _BITS) or channels not in _CHANNELS or rate not in _RATES:
            raise UnsupportedAudio(
                "Through a pipe, a WAV file must hold 16-bit PCM; other files go by --file."
            )
        self.channels, self.rate = channels, rate


async def from_pipe(stream: BinaryIO) -> AsyncGenerator[bytes]:
    """What a pipe gives, as it gives it. Raises ``UnsupportedAudio``."""
    from speech_translator.media.resampling import StreamResampler  # noqa: PLC0415

    head, rest = WavHead(), b""
    resampler: StreamResampler | None = None
    async with aclosing(chunks(stream)) as pieces:
        async for data in pieces:
            sound = rest + head.feed(data)
            whole = len(sound) - len(sound) % (2 * head.channels)
            sound, rest = sound[:whole], sound[whole:]
            if (head.rate, head.channels) == (RATE, 1):
                yield sound
            else:
                resampler = resampler or StreamResampler(head.rate)
                yield to_pcm(resampler.feed(_mono(sound, head.channels)))
            if head.left == 0:
                break
    if resampler is not None:
        yield to_pcm(resampler.finish())
    else:
        sound = rest + head.finish()
        yield sound[: len(sound) & ~1]


async def from_samples(
    samples: Samples,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[bytes]:
    """A recording, as slowly as it was spoken."""
    began, step = clock(), round(RATE * _CHUNK_S)
    for place in range(0, len(samples), step):
        piece = samples[place : place + step]
        await sleep(max(0.0, began + (place + len(piece)) / RATE - clock()))
        yield to_pcm(piece)


def recorder(device: str | None) -> tuple[str, ...]:
    """The command that records a microphone.

    Args:
        device: as that command names it; None for the default one.

    Raises:
        ConfigurationError: nothing that records is installed.
    """
    for name, arguments in RECORDERS.items():
        program = shutil.which(name)
        if program is not None:
            chosen = () if device is None else (f"--device={device}",)
            return (program, *arguments, *chosen)
    raise ConfigurationError(
        "Nothing is installed that records a microphone: install alsa-utils, which has arecord, or "
        "pulseaudio-utils, which has parec. Sound of another program comes through a pipe: -",
        command="apt-get install alsa-utils",
    )


async def from_microphone(command: tuple[str, ...]) -> AsyncGenerator[bytes]:
    """What a microphone hears, until it is taken away or this generator is closed.

    Raises:
        InvalidAudio: the recorder failed; the message holds what it said last.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: the last words are still to be heard
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the recorder has no pipes")
    complaints = asyncio.create_task(_last_line(process.stderr))
    try:
        while data := await process.stdout.read(_CHUNK_BYTES):
            yield data
        if await process.wait():
            said = printable(await complaints) or "it said nothing"
            raise InvalidAudio(f"The microphone cannot be recorded: {said}")
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        complaints.cancel()


async def _last_line(stream: asyncio.StreamReader) -> str:
    last = b""
    while data := await stream.read(4096):
        last = (last + data)[-4096:]
    lines = last.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _mono(data: bytes, channels: int) -> Samples:
    import numpy as np  # noqa: PLC0415  start quickly

    frames = np.frombuffer(data, "<i2").reshape(-1, channels)
    mono: Samples = (frames.mean(axis=1) / 32_768).astype(np.float32)
    return mono


def to_pcm(samples: Samples) -> bytes:
    """Samples in [-1, 1] as 16-bit PCM."""
    import numpy as np  # noqa: PLC0415  start quickly

    return (np.clip(samples, -1, 1) * 32_767).round().astype("<i2").tobytes()
