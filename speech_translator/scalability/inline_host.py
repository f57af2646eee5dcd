"""An engine replica in threads of the broker's own process: for tests and scripts.

It behaves as one in a process of its own, except that nothing protects the broker from it: it
cannot be killed, and when it crashes everything does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from speech_translator.engines.base import Engine
from speech_translator.engines.dispatch import run_batch
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call
from speech_translator.scalability import wire
from speech_translator.scalability.engine_host import Exit, Listener
from speech_translator.scalability.engine_process import load_engine


@dataclass(slots=True, eq=False)
class InlineHost:
    """A ``Host`` without a process."""

    spec: EngineSpec
    index: int
    listener: Listener
    pid: int | None = None
    _engine: Engine | None = None
    _pool: ThreadPoolExecutor | None = None

    async def run(self) -> None:
        """Load, and stay until cancelled; what cannot be loaded is tried again."""
        loop = asyncio.get_running_loop()
        while True:
            begun = time.monotonic()
            self.listener.on_starting(self)
            try:
                self._engine = await asyncio.to_thread(load_engine, self.spec)
            except Exception as error:  # noqa: BLE001 # the same as from a process
                told = wire.error_of(wire.failure(None, error))
                await asyncio.sleep(self.listener.on_gone(self, Exit("load_failed", told)))
                continue
            info = self._engine.describe()
            self._pool = ThreadPoolExecutor(info.concurrency, self.spec.name)
            try:
                self.listener.on_ready(self, info, time.monotonic() - begun)
                await loop.create_future()
            finally:
                self._pool.shutdown(wait=False, cancel_futures=True)

    def send(self, batch: int, calls: list[Call]) -> None:
        """Hand the batch to a thread."""
        if self._pool is not None:
            self._pool.submit(self._work, asyncio.get_running_loop(), batch, calls)

    def kill(self) -> bool:
        """A thread cannot be ended from outside."""
        return False

    def retire(self) -> None:
        """Nor can its memory be told from ours: nobody asks for it."""

    def _work(self, loop: asyncio.AbstractEventLoop, batch: int, calls: list[Call]) -> None:
        assert self._engine is not None  # noqa: S101 # loaded before anything is sent
        begun = time.monotonic()
        try:
            results = run_batch(self._engine, calls)
        except Exception as error:  # noqa: BLE001 # the same as from a process
            failed = wire.failure(batch, error)
            _later(loop, self.listener.on_failed, self, batch, wire.error_of(failed))
        else:
            seconds = time.monotonic() - begun
            _later(loop, self.listener.on_done, self, batch, results, seconds)


def _later(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *values: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(call, *values)
