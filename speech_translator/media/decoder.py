"""Untrusted audio into samples, by a pool of sandboxed processes.

An upload reaches a decoder as an open file and its samples come back in another (unlinked) one, so
a decoder needs no name of anything. Each upload gets a process of its own, forked beforehand; what
it may do is in ``sandbox.py``. The process is gone before its samples are touched, so nothing can
change or shrink them later.

Failure policy: closed. A decoder that crashes or stops moving is killed, and the upload is tried
once more in a fresh one, since the fault may not have been the file's; then it is ``DamagedAudio``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from speech_translator.errors import (
    AudioTooLong,
    DamagedAudio,
    DeadlineExceeded,
    EmptyAudio,
    EngineUnavailable,
    InvalidAudio,
    NoAudioTrack,
    Overloaded,
    ShuttingDown,
    UnsupportedAudio,
)
from speech_translator.media.decoder_link import Decoder, Nursery, ProcessLostError
from speech_translator.media.decoder_protocol import DONE, FAILED, NO_SPACE, PROGRESS
from speech_translator.media.resampling import SAMPLE_RATE, Samples
from speech_translator.media.sniffing import AudioFormat, sniff_file

_ATTEMPTS = 2
_NURSERY_ATTEMPTS = 3
_NURSERY_START_S = 30.0
_FORK_S = 10.0
_LONGEST_S = 1e6
_SAMPLE_BYTES = 4
_IN_MEMORY_BYTES = 4 << 20
"""Shorter results are read into memory; longer ones stay in their file and are mapped."""


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
        spool_dir: where decoded audio goes, as unlinked files; None is the system's own.
    """

    processes: int = 2
    memory_mb: int = 512
    timeout_s: float = 120.0
    stall_timeout_s: float = 20.0
    queue_limit: int = 64
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


class DecoderPool:
    """Decodes uploads, ``processes`` at a time. One event loop; ``start`` before, ``stop`` after.

    Args:
        config: see ``DecoderConfig``.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: DecoderConfig | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config or DecoderConfig()
        self._clock = clock
        self._slots = asyncio.Semaphore(self.config.processes)
        self._nursery: Nursery | None = None
        self._nursery_lock = asyncio.Lock()
        self._idle: list[Decoder] = []
        self._busy: set[Decoder] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._forking = 0
        self._stopped = True

    async def start(self) -> None:
        """Start the nursery and fork the first decoders; about half a second.

        Raises:
            EngineUnavailable: the processes cannot be started.
        """
        self._stopped = False
        try:
            await self._replenish()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process; decodes in flight raise ``ShuttingDown``."""
        self._stopped = True
        for decoder in self._busy:
            decoder.kill()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(decoder.end() for decoder in idle))
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            await nursery.end()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the decoders, busy ones first."""
        return tuple(decoder.pid for decoder in (*self._busy, *self._idle))

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
            source: the upload's path, or the upload itself where it is open.
            max_seconds: longest recording that is accepted.
            deadline: when the caller stops waiting; a number is seconds from now.
            progress: called about once a second with the seconds of audio that are done.

        Raises:
            InvalidAudio: one of ``EmptyAudio``, ``UnsupportedAudio``, ``NoAudioTrack``,
                ``DamagedAudio``, ``AudioTooLong``.
            Overloaded: too many uploads wait, or there is no room for the result.
            DeadlineExceeded: no decoder was free, or ready, in time.
            EngineUnavailable, ShuttingDown: there are no decoders.
        """
        left = deadline if isinstance(deadline, int | float) else deadline.remaining()
        at = self._clock() + left
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(_reopen(source))
            audio_format = await asyncio.to_thread(_identify, file)
            async with self._slot(at):
                summary, spool = await self._decode(
                    _Job(file, audio_format, max_seconds, self.config.timeout_s, at, progress)
                )
                with spool:
                    samples = await asyncio.to_thread(_load, spool)
        return DecodedAudio(
            samples=samples,
            duration=samples.size / SAMPLE_RATE,
            format=audio_format,
            codec=str(summary["codec"]),
            sample_rate=int(str(summary["sample_rate"])),
            channels=int(str(summary["channels"])),
            truncated=bool(summary["truncated"]),
        )

    @contextlib.asynccontextmanager
    async def _slot(self, at: float) -> AsyncIterator[None]:
        """One of ``processes`` places, in order of arrival."""
        if self._stopped:
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

    async def _decode(self, job: _Job) -> tuple[dict[str, object], BinaryIO]:
        """Summary and samples of the first attempt that comes to an end."""
        for _ in range(_ATTEMPTS):
            spool = tempfile.TemporaryFile(dir=self.config.spool_dir)  # noqa: SIM115 - handed out
            try:
                return await self._attempt(job, spool), spool
            except ProcessLostError:
                spool.close()
                if self._stopped:
                    raise ShuttingDown("The decoders are shutting down.") from None
            except BaseException:
                spool.close()
                raise
        raise DamagedAudio("The file makes the decoder fail.")

    async def _attempt(self, job: _Job, spool: BinaryIO) -> dict[str, object]:
        decoder = await self._take(job.at)
        self._busy.add(decoder)
        try:
            decoder.assign(job.message(), job.file.fileno(), spool.fileno())
            return await self._answer(decoder, job)
        finally:
            # Killed even after its answer: only a process that is gone cannot touch its output.
            ended = self._background(self._end(decoder))
            await asyncio.shield(ended)

    async def _answer(self, decoder: Decoder, job: _Job) -> dict[str, object]:
        """Wait for the answer, as long as the decoder moves and there is time."""
        until = self._clock() + self.config.timeout_s
        while True:
            now = self._clock()
            patience = min(self.config.stall_timeout_s, until - now, job.at - now)
            try:
                async with asyncio.timeout(patience):
                    message, fds = await decoder.channel.receive()
            except TimeoutError:
                now = self._clock()
                if now >= job.at:
                    raise DeadlineExceeded("The recording was not decoded in time.") from None
                if now >= until:
                    raise DamagedAudio("The file takes too long to decode.") from None
                raise ProcessLostError from None
            for fd in fds:
                os.close(fd)
            kind, body = message[:1], _parse(message[1:])
            if kind == PROGRESS:
                job.progress(float(str(body.get("seconds", 0.0))))
            elif kind == DONE:
                return body
            elif kind == FAILED:
                raise _error(str(body.get("code")), job.max_seconds)
            else:
                raise ProcessLostError

    async def _take(self, at: float) -> Decoder:
        """An idle decoder, or a fresh one."""
        if self._idle:
            return self._idle.pop(0)
        try:
            async with asyncio.timeout(at - self._clock()):
                return await self._fork()
        except TimeoutError:
            raise DeadlineExceeded("No decoder was ready before the deadline.") from None

    async def _fork(self) -> Decoder:
        """A fresh decoder; the nursery is started again where it is gone."""
        for _ in range(_NURSERY_ATTEMPTS):
            if self._stopped:
                break
            with contextlib.suppress(ProcessLostError, TimeoutError):
                nursery = await self._living_nursery()
                async with asyncio.timeout(_FORK_S):
                    return await nursery.fork()
        if self._stopped:
            raise ShuttingDown("The decoders are shutting down.")
        raise EngineUnavailable("The decoders cannot be started.", retry_after=5.0)

    async def _living_nursery(self) -> Nursery:
        async with self._nursery_lock:
            if self._nursery is not None and not self._nursery.alive:
                await self._drop_nursery()
            if self._nursery is None:
                self._nursery = Nursery.spawn(memory_mb=self.config.memory_mb)
            try:
                async with asyncio.timeout(_NURSERY_START_S):
                    await self._nursery.ready()
            except (ProcessLostError, TimeoutError):
                await self._drop_nursery()
                raise
            return self._nursery

    async def _drop_nursery(self) -> None:
        """End the nursery; the decoders that it forked go with it."""
        idle, self._idle = self._idle, []
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            await nursery.end()
        for decoder in idle:
            decoder.close()

    async def _end(self, decoder: Decoder) -> None:
        try:
            await decoder.end()
        finally:
            self._busy.discard(decoder)
            decoder.close()
        if not self._stopped:
            self._background(self._replenish_quietly())

    async def _replenish_quietly(self) -> None:
        with contextlib.suppress(EngineUnavailable, ShuttingDown):  # the next decode will say so
            await self._replenish()

    async def _replenish(self) -> None:
        """Fork until as many wait as may work beside the busy ones."""
        while (
            not self._stopped
            and len(self._idle) + len(self._busy) + self._forking < self.config.processes
        ):
            self._forking += 1
            try:
                self._idle.append(await self._fork())
            finally:
                self._forking -= 1

    def _background(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@dataclass(frozen=True, slots=True)
class _Job:
    file: BinaryIO
    audio_format: AudioFormat
    max_seconds: float
    timeout_s: float
    at: float
    progress: Callable[[float], None]

    def message(self) -> bytes:
        fields = {
            "format": self.audio_format.value,
            "max_seconds": min(self.max_seconds, _LONGEST_S),
            "cpu_seconds": math.ceil(self.timeout_s) + 1,
        }
        return json.dumps(fields).encode()


def _reopen(source: Path | Upload) -> BinaryIO:
    """The upload as an open file with a position of its own."""
    path = source if isinstance(source, Path) else Path(f"/proc/self/fd/{source.fileno()}")
    return path.open("rb")


def _identify(file: BinaryIO) -> AudioFormat:
    if os.fstat(file.fileno()).st_size == 0:
        raise EmptyAudio("The file is empty.")
    audio_format = sniff_file(file)
    if audio_format is None:
        raise UnsupportedAudio(
            "The file is not one of the audio formats that are accepted.",
            supported=[accepted.value for accepted in AudioFormat],
        )
    return audio_format


def _parse(body: bytes) -> dict[str, object]:
    """What a decoder says, which is not believed further than its types."""
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise ProcessLostError from error
    if not isinstance(fields, dict):
        raise ProcessLostError
    return fields


def _error(code: str, max_seconds: float) -> Exception:
    """The error of a code. Its words are ours: nothing that a decoder writes is passed on."""
    errors: dict[str, InvalidAudio] = {
        EmptyAudio.code: EmptyAudio("The file holds no sound."),
        NoAudioTrack.code: NoAudioTrack("The file holds no audio track."),
        UnsupportedAudio.code: UnsupportedAudio(
            "The audio in this file is of a kind that is not accepted."
        ),
        AudioTooLong.code: AudioTooLong(
            f"The recording is longer than {max_seconds:g} seconds.", limit_s=max_seconds
        ),
    }
    if code == NO_SPACE:
        return Overloaded("There is no room to decode the recording.", retry_after=30.0)
    return errors.get(code, DamagedAudio("The file is damaged and cannot be decoded."))


def _load(spool: BinaryIO) -> Samples:
    """The samples of a finished job. Its writer is gone, so the file cannot change any more."""
    count = os.fstat(spool.fileno()).st_size // _SAMPLE_BYTES
    if count == 0:
        raise EmptyAudio("The file holds no sound.")
    if count * _SAMPLE_BYTES <= _IN_MEMORY_BYTES:
        spool.seek(0)
        samples = np.frombuffer(spool.read(count * _SAMPLE_BYTES), np.float32)
    else:
        samples = np.memmap(spool, np.float32, mode="r", shape=(count,))
    return samples
