"""Compressed live audio (Opus in WebM or Ogg) into samples, by a sandboxed process per stream."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import numpy as np

from speech_translator.errors import AudioTooLong, DamagedAudio, EmptyAudio, InvalidAudio
from speech_translator.media.decoder_jobs import number, parse
from speech_translator.media.decoder_link import Decoder, ProcessLostError
from speech_translator.media.decoder_protocol import DONE, FAILED, WANTING
from speech_translator.media.decoder_values import StreamLimits
from speech_translator.media.resampling import SAMPLE_RATE, Samples

_RECEIVE_BYTES = 1 << 18
_SAMPLE_BYTES = 4
_LAST_WORDS_S = 2.0


class StreamingDecoder:
    """One live stream; made by ``DecoderPool.open_stream``. Calls must not overlap.

    Args:
        decoder: the process, already at work.
        stream: our end of its socket.
        limits: see ``StreamLimits``.
        to_error: makes the error of a code that the decoder answers.
        end: ends the process.
    """

    def __init__(
        self,
        decoder: Decoder,
        stream: socket.socket,
        limits: StreamLimits,
        *,
        to_error: Callable[[str], Exception],
        end: Callable[[Decoder], Awaitable[None]],
    ) -> None:
        stream.settimeout(0)
        self._decoder = decoder
        self._stream = stream
        self._limits = limits
        self._to_error = to_error
        self._end = end
        self._unsent = bytearray()
        self._received = bytearray()
        self._sent = 0
        self._consumed = 0
        self._done = False
        self._closed = False

    async def feed(self, data: bytes) -> Samples:
        """All that can be decoded after ``data``: mono float32 at 16 kHz; it may be empty.

        Raises:
            DamagedAudio, UnsupportedAudio, NoAudioTrack: the stream cannot be decoded; it is over.
            AudioTooLong: the stream, or this piece of it, is over its limit; it is over.
        """
        self._unsent += data
        expected = self._sent + len(self._unsent)
        return await self._pump(lambda: self._done or self._consumed >= expected)

    async def finish(self) -> Samples:
        """The rest of the audio; the process ends. Errors are those of ``feed``."""
        if self._sent == 0:
            await self.close()
            return np.zeros(0, np.float32)
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_WR)
        rest = await self._pump(lambda: self._done)
        await self.close()
        return rest

    async def close(self) -> None:
        """End the process; twice does no harm."""
        if not self._closed:
            self._closed = True
            self._stream.close()
            await self._end(self._decoder)

    async def _pump(self, until: Callable[[], bool]) -> Samples:
        """Move bytes both ways until ``until`` holds; samples that came back."""
        if self._closed or (self._done and self._unsent):
            await self.close()
            raise DamagedAudio("The live audio stream is over.")
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                while not (self._move() and until()):
                    await self._wait()
        except (ProcessLostError, OSError) as error:
            # A timeout is an OSError too; but who hangs has nothing more to say.
            reason = None if isinstance(error, TimeoutError) else await self._last_words()
            await self.close()
            raise reason or DamagedAudio("The live audio cannot be decoded.") from None
        except BaseException:
            await self.close()
            raise
        whole = len(self._received) // _SAMPLE_BYTES * _SAMPLE_BYTES
        samples = np.frombuffer(bytes(self._received[:whole]), np.float32)
        del self._received[:whole]
        return samples

    def _move(self) -> bool:
        """Send, hear and receive what is possible at once; whether nothing waits to be sent.

        The channel is heard before the stream is emptied: what a message speaks of is then there.
        """
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                sent = self._stream.send(self._unsent)
                self._sent += sent
                del self._unsent[:sent]
        while not self._done and (message := self._decoder.channel.poll()) is not None:
            self._hear(message[:1], message[1:])
        with contextlib.suppress(BlockingIOError):
            while data := self._stream.recv(_RECEIVE_BYTES):
                self._received += data
                limit = self._limits.max_burst_s * SAMPLE_RATE * _SAMPLE_BYTES
                if len(self._received) > limit:
                    raise AudioTooLong("A live message holds too much audio.")
        return not self._unsent

    def _hear(self, kind: bytes, body: bytes) -> None:
        fields = parse(body)
        if kind == WANTING:
            self._consumed = int(number(fields, "consumed"))
        elif kind in {DONE, FAILED}:
            self._done = True
            # A live stream that ends before any sound is no fault.
            if kind == FAILED and fields.get("code") != EmptyAudio.code:
                raise self._to_error(str(fields.get("code")))

    async def _last_words(self) -> Exception | None:
        """Why the decoder ended: its stream may close before we have heard the reason."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                while True:
                    message = await self._decoder.channel.receive()
                    self._hear(message[:1], message[1:])
        except InvalidAudio as error:
            return error
        except (ProcessLostError, OSError):
            return None  # it told nothing, or nothing that makes sense

    async def _wait(self) -> None:
        """Until something can move."""
        loop = asyncio.get_running_loop()
        awake = asyncio.Event()
        stream, channel = self._stream.fileno(), self._decoder.channel.fileno()
        loop.add_reader(channel, awake.set)
        loop.add_reader(stream, awake.set)
        if self._unsent:
            loop.add_writer(stream, awake.set)
        try:
            await awake.wait()
        finally:
            loop.remove_reader(channel)
            loop.remove_reader(stream)
            loop.remove_writer(stream)
