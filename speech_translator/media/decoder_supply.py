"""Keeps decoder processes at hand: forked beforehand, replaced after use, the nursery revived."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable

from speech_translator.errors import EngineUnavailable, ShuttingDown
from speech_translator.media.decoder_link import Decoder, Nursery, ProcessLostError

_NURSERY_ATTEMPTS = 3
_NURSERY_START_S = 30.0
_FORK_S = 10.0
_KILLED_S = 10.0


class DecoderSupply:
    """Hands out decoders that have done nothing yet, and takes them back to end them.

    Args:
        spare: decoders that wait for work.
        memory_mb: address space that one may add while it works, in MiB.
    """

    def __init__(self, *, spare: int, memory_mb: int) -> None:
        self._spare = spare
        self._memory_mb = memory_mb
        self._nursery: Nursery | None = None
        self._nursery_lock = asyncio.Lock()
        self._idle: list[Decoder] = []
        self._busy: set[Decoder] = set()
        self._burials: set[asyncio.Task[None]] = set()
        self._replenishing: set[asyncio.Task[None]] = set()
        self._forking = 0
        self.stopped = True

    async def start(self) -> None:
        """Start the nursery and the first decoders. Raises ``EngineUnavailable``."""
        self.stopped = False
        try:
            await self._replenish()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process; who waits for a decoder gets ``ShuttingDown``.

        Burials are waited for and never cancelled: others wait for them too, and would take the
        cancellation for their own.
        """
        self.stopped = True
        if self._nursery is not None:
            self._nursery.kill()
        for decoder in self._busy:
            decoder.kill()
        for task in tuple(self._replenishing):
            task.cancel()
        await asyncio.gather(*self._replenishing, return_exceptions=True)
        idle, self._idle = self._idle, []
        for decoder in idle:
            _background(self._bury(decoder), self._burials)
        async with self._nursery_lock:
            await self._drop_nursery()
        await asyncio.gather(*self._burials, return_exceptions=True)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the decoders that run, busy ones first."""
        return _pids((*self._busy, *self._idle))

    @property
    def busy_pids(self) -> tuple[int, ...]:
        """Process ids of the decoders at work."""
        return _pids(self._busy)

    @property
    def nursery_pid(self) -> int | None:
        """Process id of the nursery, or None where there is none."""
        return self._nursery.pid if self._nursery is not None else None

    async def take(self) -> Decoder:
        """A decoder for one job; ``end`` it afterwards, whatever happened.

        Raises:
            EngineUnavailable: none can be started.
            ShuttingDown: after ``stop``.
        """
        while self._idle:
            decoder = self._idle.pop(0)
            if decoder.alive:
                break
            decoder.close()
        else:
            decoder = await self._fork()
        self._busy.add(decoder)
        return decoder

    async def end(self, decoder: Decoder) -> None:
        """Kill a decoder and return once it is gone; cancelling only stops the waiting."""
        decoder.kill()
        await asyncio.shield(_background(self._bury(decoder), self._burials))

    async def _bury(self, decoder: Decoder) -> None:
        try:
            async with asyncio.timeout(_KILLED_S):
                await decoder.end()
        except TimeoutError:  # one that the kernel cannot end (state D)
            pass
        finally:
            self._busy.discard(decoder)
            decoder.close()
        if not self.stopped:
            _background(self._replenish_quietly(), self._replenishing)

    async def _replenish_quietly(self) -> None:
        with contextlib.suppress(EngineUnavailable, ShuttingDown):  # the next job will say so
            await self._replenish()

    async def _replenish(self) -> None:
        """Fork until enough wait."""
        while not self.stopped and len(self._idle) + self._forking < self._spare:
            self._forking += 1
            try:
                decoder = await self._fork()  # which may put another list in the place of ``_idle``
                self._idle.append(decoder)
            finally:
                self._forking -= 1

    async def _fork(self) -> Decoder:
        """A fresh decoder; the nursery is started again where it is gone."""
        for _ in range(_NURSERY_ATTEMPTS):
            if self.stopped:
                break
            with contextlib.suppress(ProcessLostError, TimeoutError):
                return await self._fork_from(await self._living_nursery())
        if self.stopped:
            raise ShuttingDown("The decoders are shutting down.")
        raise EngineUnavailable("The decoders cannot be started.", retry_after=5.0)

    async def _fork_from(self, nursery: Nursery) -> Decoder:
        try:
            async with asyncio.timeout(_FORK_S):
                return await nursery.fork()
        except TimeoutError:  # it lives and does not answer
            async with self._nursery_lock:
                if self._nursery is nursery:
                    await self._drop_nursery()
            raise

    async def _living_nursery(self) -> Nursery:
        async with self._nursery_lock:
            if self.stopped:
                raise ShuttingDown("The decoders are shutting down.")
            if self._nursery is not None and not self._nursery.alive:
                await self._drop_nursery()
            if self._nursery is None:
                self._nursery = Nursery.spawn(memory_mb=self._memory_mb)
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
        for decoder in idle:
            decoder.close()
        if nursery is not None:
            await nursery.end()


def _background(
    work: Coroutine[object, object, None], tasks: set[asyncio.Task[None]]
) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def _pids(decoders: Iterable[Decoder]) -> tuple[int, ...]:
    return tuple(pid for decoder in decoders if (pid := decoder.pid) is not None)
