"""Untrusted audio into samples, by a pool of sandboxed processes.

An upload reaches a decoder as an open file and its samples come back in another (unlinked) one, so
a decoder needs no name of anything. Each upload gets a process of its own, forked beforehand; what
it may do is in ``sandbox.py`` and ``seccomp.py``. The process is gone before its samples are
touched, so nothing can change or shrink them later.

Failure policy: closed. A decoder that crashes or stops moving is killed, and the upload is tried
once more in a fresh one, since the fault may not have been the file's; then it is ``DamagedAudio``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from speech_translator.errors import (
    DamagedAudio,
    DeadlineExceeded,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
    UnsupportedAudio,
)
from speech_translator.media.decoder_jobs import (
    Job,
    JobLostError,
    Source,
    error_of,
    identify,
    load,
    number,
    parse,
    reopen,
    stream_job,
)
from speech_translator.media.decoder_link import Decoder, ProcessLostError
from speech_translator.media.decoder_protocol import DONE, FAILED, PROGRESS, TAKEN
from speech_translator.media.decoder_supply import DecoderSupply
from speech_translator.media.decoder_values import (
    DecodedAudio,
    DecoderConfig,
    StreamLimits,
    TimeLeft,
    Upload,
)
from speech_translator.media.resampling import SAMPLE_RATE
from speech_translator.media.sniffing import AudioFormat
from speech_translator.media.streaming_decoder import StreamingDecoder

_ATTEMPTS = 2
_TRIES = 8


class DecoderPool:
    """Decodes uploads, ``processes`` at a time. One event loop; ``start`` before, ``stop`` after.

    Args:
        config: see ``DecoderConfig``.
        clock: monotonic seconds.

    Attributes:
        decoders_lost: decoders that crashed, hung or were killed at work.
        peak_memory_kb: the most resident memory that a decoder has reported, in KiB.
    """

    def __init__(
        self,
        config: DecoderConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config or DecoderConfig()
        self.decoders_lost = 0
        self.peak_memory_kb = 0
        self._clock = clock
        self._supply = DecoderSupply(spare=self.config.processes, memory_mb=self.config.memory_mb)
        self._slots = asyncio.Semaphore(self.config.processes)
        self._waiting = 0
        self._streams = 0

    async def start(self) -> None:
        """Start the nursery and fork the first decoders; about half a second.

        Raises:
            EngineUnavailable: the processes cannot be started.
        """
        await self._supply.start()

    async def stop(self) -> None:
        """End every process; decodes in flight raise ``ShuttingDown``."""
        await self._supply.stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the decoders, busy ones first."""
        return self._supply.pids

    @property
    def busy_pids(self) -> tuple[int, ...]:
        """Process ids of the decoders at work."""
        return self._supply.busy_pids

    @property
    def nursery_pid(self) -> int | None:
        """Process id of the nursery that forks the decoders, or None."""
        return self._supply.nursery_pid

    async def decode(
        self,
        source: Path | Upload,
        *,
        max_seconds: float,
        deadline: TimeLeft | float,
        progress: Callable[[float], None] = lambda _seconds: None,
    ) -> DecodedAudio:
        """Decode one upload.

        Args:
            source: the upload's path, or the upload itself where it is open already.
            max_seconds: longest recording that is accepted.
            deadline: when the caller stops waiting; a number is seconds from now.
            progress: called about once a second with the seconds of audio that are done.

        Raises:
            InvalidAudio: one of ``EmptyAudio``, ``UnsupportedAudio``, ``NoAudioTrack``,
                ``DamagedAudio``, ``AudioTooLong``.
            Overloaded: too many uploads wait, or there is no room for the result.
            DeadlineExceeded: no decoder was free, or ready, in time.
            EngineUnavailable, ShuttingDown: there are no decoders.
            OSError: a path that cannot be opened.
        """
        left = deadline if isinstance(deadline, int | float) else deadline.remaining()
        at = self._clock() + left
        with reopen(source) as file:
            audio_format = identify(file)
            job = Job(file, audio_format, max_seconds, self.config.timeout_s, at, progress)
            async with self._slot(at):
                facts, spool = await self._decode(job)
        with spool:
            samples = load(spool)
        return DecodedAudio(
            samples=samples,
            duration=samples.size / SAMPLE_RATE,
            format=audio_format,
            codec=facts.codec,
            sample_rate=facts.sample_rate,
            channels=facts.channels,
            truncated=facts.truncated,
        )

    @contextlib.asynccontextmanager
    async def _slot(self, at: float) -> AsyncIterator[None]:
        """One of ``processes`` places, in order of arrival."""
        if self._supply.stopped:
            raise ShuttingDown("The decoders are shutting down.")
        if self._slots.locked() and self._waiting >= self.config.queue_limit:
            raise Overloaded("Too many recordings wait to be decoded.", retry_after=5.0)
        self._waiting += 1
        try:
            async with asyncio.timeout(at - self._clock()):
                await self._slots.acquire()
        except TimeoutError:
            raise DeadlineExceeded("No decoder was free before the deadline.") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _decode(self, job: Job) -> tuple[Source, BinaryIO]:
        """Facts and samples of the first attempt that comes to an end.

        A decoder that is lost before it took the job says nothing about the file.
        """
        lost = 0
        for _ in range(_TRIES):
            spool = tempfile.TemporaryFile(dir=self.config.spool_dir)  # noqa: SIM115 - handed out
            try:
                return await self._attempt(job, spool), spool
            except ProcessLostError as error:
                spool.close()
                lost += isinstance(error, JobLostError)
                if self._supply.stopped:
                    raise ShuttingDown("The decoders are shutting down.") from None
                if lost == _ATTEMPTS:
                    raise DamagedAudio("The file makes the decoder fail.") from None
            except BaseException:
                spool.close()
                raise
        raise EngineUnavailable("The decoders do not stay alive.", retry_after=5.0)

    async def _attempt(self, job: Job, spool: BinaryIO) -> Source:
        try:
            async with asyncio.timeout(job.at - self._clock()):
                decoder = await self._supply.take()
        except TimeoutError:
            raise DeadlineExceeded("No decoder was ready before the deadline.") from None
        try:
            # The descriptor's position is shared with whoever read from it: the sniffer, and a
            # decoder that was lost on the way.
            os.lseek(job.file.fileno(), 0, os.SEEK_SET)
            decoder.assign(job.message(), [job.file.fileno(), spool.fileno()])
            return await self._answer(decoder, job)
        except ProcessLostError:
            self.decoders_lost += 1
            raise
        finally:
            # Killed even after its answer: only a process that is gone cannot touch its output.
            await self._supply.end(decoder)

    async def _answer(self, decoder: Decoder, job: Job) -> Source:
        """Wait for the answer, as long as the decoder moves and there is time."""
        until = self._clock() + self.config.timeout_s
        kind, _ = await self._hear(decoder, job, until)
        if kind != TAKEN:
            raise ProcessLostError
        try:
            while True:
                kind, body = await self._hear(decoder, job, until)
                if kind == DONE:
                    return Source.of(body)
                if kind == FAILED:
                    raise error_of(str(body.get("code")), job.max_seconds)
                job.progress(number(body, "seconds"))
        except ProcessLostError:
            raise JobLostError from None

    async def _hear(
        self, decoder: Decoder, job: Job, until: float
    ) -> tuple[bytes, dict[str, object]]:
        """The next message: its kind and its fields."""
        now = self._clock()
        patience = min(self.config.stall_timeout_s, until - now, job.at - now)
        try:
            async with asyncio.timeout(patience):
                message = await decoder.channel.receive()
        except TimeoutError:
            now = self._clock()
            if now >= job.at:
                raise DeadlineExceeded("The recording was not decoded in time.") from None
            if now >= until:
                raise DamagedAudio("The file takes too long to decode.") from None
            raise ProcessLostError from None
        kind, body = message[:1], parse(message[1:])
        if kind not in {TAKEN, PROGRESS, DONE, FAILED}:
            raise ProcessLostError
        self.peak_memory_kb = max(self.peak_memory_kb, int(number(body, "peak_kb")))
        return kind, body

    async def open_stream(
        self,
        *,
        audio_format: AudioFormat = AudioFormat.MATROSKA,
        limits: StreamLimits | None = None,
    ) -> StreamingDecoder:
        """A decoder for one live stream, with a process of its own; close it afterwards.

        Args:
            audio_format: ``MATROSKA`` (which is WebM) or ``OGG``.
            limits: of the stream.

        Raises:
            UnsupportedAudio: a format that cannot be read as a stream.
            Overloaded: too many streams are open.
            EngineUnavailable, ShuttingDown: there are no decoders.
        """
        if audio_format not in {AudioFormat.MATROSKA, AudioFormat.OGG}:
            raise UnsupportedAudio("This audio format cannot be decoded live.")
        if self._streams >= self.config.max_streams:
            raise Overloaded("Too many live streams are being decoded.", retry_after=30.0)
        bounds = limits or StreamLimits()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._streams += 1
        try:
            decoder = await self._supply.take()
        except BaseException:
            self._streams -= 1
            ours.close()
            theirs.close()
            raise
        with theirs:
            try:
                decoder.assign(stream_job(audio_format, bounds), [theirs.fileno()])
            except ProcessLostError:  # the first feed finds it gone and says so
                self.decoders_lost += 1
        return StreamingDecoder(
            decoder,
            ours,
            bounds,
            to_error=lambda code: error_of(code, bounds.max_seconds),
            end=self._end_stream,
        )

    async def _end_stream(self, decoder: Decoder) -> None:
        self._streams -= 1
        await self._supply.end(decoder)
