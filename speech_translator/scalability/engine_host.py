"""The parent's side of one engine replica: its process, its socket, its restarts.

A replica is started, loads, serves, and when it goes it is started again after a pause that
doubles. What was in flight is handed back to the lane, which decides what becomes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, cast

from speech_translator.engines.base import Engine
from speech_translator.engines.dispatch import run_batch
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, EngineInfo, Result
from speech_translator.errors import (
    ConfigurationError,
    SpeechTranslatorError,
)
from speech_translator.scalability import wire
from speech_translator.scalability.engine_process import load_engine


@dataclass(frozen=True, slots=True)
class RestartConfig:
    """Pauses before a replica is started again, in seconds, doubling from ``first`` to ``last``.

    A replica that served for ``healthy_after`` seconds starts over with the first pause. One whose
    weights are missing is not tried again: somebody must install them first.
    """

    first: float = 0.1
    last: float = 30.0
    healthy_after: float = 30.0

    def pause(self, failures: int) -> float:
        """The pause after so many failures in a row; with jitter, so that replicas spread."""
        return min(self.last, self.first * 2.0 ** min(failures - 1, 20)) * random.uniform(0.5, 1)  # noqa: S311 # jitter


@dataclass(frozen=True, slots=True)
class Exit:
    """Why a replica is gone: crashed, hung, load_failed or load_timeout.

    ``killed`` says that somebody else's SIGKILL ended it; ``error`` is what loading raised.
    """

    reason: str
    killed: bool = False
    error: SpeechTranslatorError | None = None


class Listener(Protocol):
    """What a lane wants to know of its replicas."""

    def on_ready(self, replica: Host, info: EngineInfo, seconds: float) -> None:
        """It has loaded."""

    def on_done(self, replica: Host, batch: int, results: Sequence[Result], seconds: float) -> None:
        """It answered a batch."""

    def on_failed(self, replica: Host, batch: int, error: SpeechTranslatorError) -> None:
        """A batch raised an error."""

    def on_gone(self, replica: Host, gone: Exit) -> None:
        """Its process is no more."""

    def on_pause(self, replica: Host, seconds: float) -> None:
        """It will be started again."""


class Host(Protocol):
    """A replica, wherever it runs."""

    index: int
    pid: int | None

    async def run(self) -> None:
        """Start, and start again, until cancelled."""

    def send(self, batch: int, calls: list[Call]) -> None:
        """Begin a batch; the listener hears of its end."""

    def kill(self) -> None:
        """End the process now; it did not answer in time."""


class _Protocol(asyncio.Protocol):
    """Bytes of one connection, cut into messages."""

    def __init__(self, heard: Callable[[wire.Message], None]) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._reader = wire.FrameReader()
        self._heard = heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.feed(data):
                self._heard(message)
        except wire.BrokenPeer:
            if self.transport:
                self.transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


@dataclass(slots=True, eq=False)
class ProcessHost:
    """A replica in a child process of its own."""

    spec: EngineSpec
    index: int
    listener: Listener
    restarts: RestartConfig = field(default_factory=RestartConfig)
    pid: int | None = None
    _protocol: _Protocol | None = None
    _process: asyncio.subprocess.Process | None = None
    _ready: asyncio.Future[EngineInfo] | None = None
    _hung: bool = False

    async def run(self) -> None:
        """Start, and start again, until cancelled or until it makes no sense any more."""
        failures = 0
        while True:
            begun = time.monotonic()
            gone = await self._live_once()
            self.listener.on_gone(self, gone)
            if isinstance(gone.error, ConfigurationError):
                return
            failures = 1 if time.monotonic() - begun > self.restarts.healthy_after else failures + 1
            pause = self.restarts.pause(failures)
            self.listener.on_pause(self, pause)
            await asyncio.sleep(pause)

    def send(self, batch: int, calls: list[Call]) -> None:
        """Write the batch to the process."""
        if self._protocol and self._protocol.transport:
            self._protocol.transport.write(wire.encode(wire.Run(batch, calls)))

    def kill(self) -> None:
        """SIGKILL: a process that hangs does not listen to anything else."""
        self._hung = True
        self._signal()

    def _signal(self) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _live_once(self) -> Exit:
        """One process, from its start to its end."""
        loop = asyncio.get_running_loop()
        begun = time.monotonic()
        self._hung = False
        self._ready = loop.create_future()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                _, self._protocol = await loop.create_connection(
                    lambda: _Protocol(self._heard), sock=ours
                )
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "speech_translator.scalability.engine_process"),
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **self.spec.environment},
                )
            self.pid = self._process.pid
            self._protocol.transport.write(wire.encode(wire.Start(self.spec)))  # type: ignore[union-attr]
            gone = await self._until_ready(begun)
            if gone is None:
                await self._protocol.lost
                gone = await self._after()
            return gone
        finally:
            self._signal()
            if self._protocol and self._protocol.transport:
                self._protocol.transport.abort()
            if self._process:
                await self._process.wait()
            self._protocol = self._process = self.pid = None
            self._ready.cancel()

    async def _until_ready(self, begun: float) -> Exit | None:
        """None once it is ready; else why it is not."""
        assert self._ready and self._protocol  # noqa: S101, PT018
        lost = self._protocol.lost
        await asyncio.wait(
            {self._ready, lost},
            timeout=self.spec.load_timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not self._ready.done():
            return Exit("crashed") if lost.done() else Exit("load_timeout")
        error = self._ready.exception()
        if isinstance(error, SpeechTranslatorError):
            return Exit("load_failed", error=error)
        self.listener.on_ready(self, self._ready.result(), time.monotonic() - begun)
        return None

    async def _after(self) -> Exit:
        """Why a process that served is gone; its socket closes a moment before it can be reaped."""
        assert self._process  # noqa: S101
        try:
            async with asyncio.timeout(1):
                status = await self._process.wait()
        except TimeoutError:
            status = None
        if self._hung:
            return Exit("hung")
        return Exit("crashed", killed=status == -signal.SIGKILL)

    def _heard(self, message: wire.Message) -> None:
        match message:
            case wire.Done(batch, results, seconds):
                self.listener.on_done(self, batch, results, seconds)
            case wire.Ready(info):
                if self._ready and not self._ready.done():
                    self._ready.set_result(info)
            case wire.Failed(None):
                if self._ready and not self._ready.done():
                    self._ready.set_exception(wire.error_of(message))
            case wire.Failed(int() as batch):
                self.listener.on_failed(self, batch, wire.error_of(message))
            case _:
                raise wire.BrokenPeer("an engine does not say that")


@dataclass(slots=True, eq=False)
class InlineHost:
    """A replica in threads of this process: for tests and scripts. It cannot be killed."""

    spec: EngineSpec
    index: int
    listener: Listener
    pid: int | None = None
    _engine: Engine | None = None
    _pool: ThreadPoolExecutor | None = None

    async def run(self) -> None:
        """Load once and stay."""
        begun = time.monotonic()
        try:
            self._engine = await asyncio.to_thread(load_engine, self.spec)
        except Exception as error:  # noqa: BLE001 # the same as from a process
            told = wire.error_of(wire.failure(None, error))
            self.listener.on_gone(self, Exit("load_failed", error=told))
            return
        info = self._engine.describe()
        self._pool = ThreadPoolExecutor(info.concurrency)
        self.listener.on_ready(self, info, time.monotonic() - begun)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def send(self, batch: int, calls: list[Call]) -> None:
        """Hand the batch to a thread."""
        assert self._pool  # noqa: S101 # ready before anything is sent
        loop = asyncio.get_running_loop()
        self._pool.submit(self._work, loop, batch, calls)

    def kill(self) -> None:
        """Nothing: a thread cannot be ended from outside."""

    def _work(self, loop: asyncio.AbstractEventLoop, batch: int, calls: list[Call]) -> None:
        assert self._engine  # noqa: S101
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
