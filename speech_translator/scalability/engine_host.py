"""The parent's side of one engine replica: its process, its socket, its next start.

A replica is started, loads, serves, and when it goes it is started again. The listener
(``lane.py``) is told everything and decides the rest: what becomes of the calls that were in
flight, and how long to wait before the next start. ``inline_host.py`` is the same without a
process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, EngineInfo, Result
from speech_translator.errors import SpeechTranslatorError
from speech_translator.scalability import wire
from speech_translator.scalability.events import Reason
from speech_translator.settings import inherited_environment

logger = logging.getLogger(__name__)

_MODULE = "speech_translator.scalability.engine_process"
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGQUIT}
_POLL_S = 0.002
_EXIT_S = 1.0
"""Seconds from a closed socket to the end of its process, after which it is killed."""

_KILLED_S = 10.0
"""Seconds until a killed process is given up as one that the kernel cannot end (state D)."""


@dataclass(frozen=True, slots=True)
class Exit:
    """Why a replica is gone; ``error`` is what loading raised."""

    reason: Reason
    error: SpeechTranslatorError | None = None


class Listener(Protocol):
    """What a lane wants to know of its replicas; called on the event loop."""

    def on_starting(self, replica: Host) -> None:
        """It runs and loads."""

    def on_ready(self, replica: Host, info: EngineInfo, seconds: float) -> None:
        """It has loaded."""

    def on_done(self, replica: Host, batch: int, results: Sequence[Result], seconds: float) -> None:
        """It answered a batch."""

    def on_failed(self, replica: Host, batch: int, error: SpeechTranslatorError) -> None:
        """A batch raised an error."""

    def on_gone(self, replica: Host, gone: Exit) -> float:
        """Its process is no more; the seconds to wait before it is started again."""


class Host(Protocol):
    """A replica, wherever it runs."""

    index: int
    pid: int | None

    async def run(self) -> None:
        """Start, and start again, until cancelled; nothing is left of it then."""

    def send(self, batch: int, calls: list[Call]) -> None:
        """Begin a batch; the listener hears of its end.

        Raises:
            InvalidRequest, TypeError: a call cannot be written.
        """

    def kill(self) -> bool:
        """End the process now, since it does not answer; False where that cannot be done."""

    def retire(self) -> None:
        """End the process, which works on nothing, so that another takes its place."""


class _Connection(asyncio.BufferedProtocol):
    """The socket to one process, cut into messages."""

    def __init__(self, heard: Callable[[_Connection, wire.ToBroker], None]) -> None:
        loop = asyncio.get_running_loop()
        self.loaded: asyncio.Future[wire.Ready | wire.Failed | None] = loop.create_future()
        # An event, not a future: cancelling who waits must not cancel what is waited for.
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self._reader = wire.FrameReader()
        self._unpacker: wire.Unpacker[wire.ToBroker] = wire.Unpacker(wire.ToBroker)
        self._packer = wire.Packer()
        self._heard = heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._reader.space()

    def buffer_updated(self, nbytes: int) -> None:
        self._reader.filled(nbytes)
        try:
            for frame in self._reader.frames():
                self._heard(self, self._unpacker.unpack(frame))
        except wire.BrokenPeer:
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost.set()
        if not self.loaded.done():
            self.loaded.set_result(None)

    def write(self, message: wire.ToEngine) -> None:
        """Write one message; nothing when the connection is closed already."""
        pieces = self._packer.pack(message)
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if len(pieces) == 1:
            transport.write(pieces[0])
        else:
            transport.writelines(pieces)

    def close(self) -> None:
        """Drop the connection and what is not written yet."""
        if self.transport:
            self.transport.abort()


@dataclass(slots=True, eq=False)
class ProcessHost:
    """A replica in a child process of its own."""

    spec: EngineSpec
    index: int
    listener: Listener
    pid: int | None = None
    _connection: _Connection | None = None
    _process: subprocess.Popen[bytes] | None = None
    _hung: bool = False
    _retired: bool = False

    async def run(self) -> None:
        """Start, and start again, until cancelled; no process is left then."""
        while True:
            try:
                gone = await self._live_once()
            except Exception:
                # Whatever it is: without this the engine would be gone for good, unreported.
                logger.exception("A replica of %s ended by a fault of its host", self.spec.name)
                gone = Exit("not_started")
            await asyncio.sleep(self.listener.on_gone(self, gone))

    def send(self, batch: int, calls: list[Call]) -> None:
        """Write the batch to the process. A process that is gone is about to be noticed."""
        if self._connection:
            self._connection.write(wire.Run(batch, calls))

    def kill(self) -> bool:
        """SIGKILL: a process that hangs does not listen to anything else."""
        self._hung = True
        self._signal()
        return True

    def retire(self) -> None:
        """SIGKILL: it has nothing to lose."""
        self._retired = True
        self._signal()

    def _signal(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # none that was reaped: Popen looks first

    async def _live_once(self) -> Exit:
        """One process, from its start to its end."""
        self._hung = self._retired = False
        try:
            connection = self._connection = await self._spawn()
            return await self._until_loaded(connection) or await self._until_lost(connection)
        except OSError:  # no process, no memory or no descriptor to be had
            return Exit("not_started")
        finally:
            await self._clear_away()

    async def _spawn(self) -> _Connection:
        """Start the process and connect to it.

        On the event loop's own thread: the process asks to die with the thread that started it.
        """
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            try:
                self._process = _start_process(self.spec, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        self.pid = self._process.pid
        connection = _Connection(self._heard)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: connection, sock=ours)
        except BaseException:
            ours.close()
            raise
        connection.write(wire.Start(self.spec))
        self.listener.on_starting(self)
        return connection

    async def _until_loaded(self, connection: _Connection) -> Exit | None:
        """None once it is ready; else why it is not."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self.spec.load_timeout_s):
                answer = await connection.loaded
        except TimeoutError:
            return Exit("load_timeout")
        if answer is None:
            return await self._until_lost(connection)
        if isinstance(answer, wire.Failed):
            return Exit("load_failed", wire.error_of(answer))
        self.listener.on_ready(self, answer.info, time.monotonic() - begun)
        return None

    async def _until_lost(self, connection: _Connection) -> Exit:
        """Why it is gone; the socket closes a moment before the process can be reaped."""
        await connection.lost.wait()
        status = await self._reaped(_EXIT_S)
        if self._hung or self._retired:
            return Exit("hung" if self._hung else "outgrown")
        return Exit("killed" if status in _FROM_OUTSIDE else "crashed")

    async def _reaped(self, seconds: float) -> int | None:
        """The exit status, as soon as there is one; None when there is none for ``seconds``."""
        if self._process is None:
            return None
        for _ in range(int(seconds / _POLL_S)):
            status = self._process.poll()
            if status is not None:
                return status
            await asyncio.sleep(_POLL_S)
        return None

    async def _clear_away(self) -> None:
        """Kill, reap, close; also when this task is being cancelled."""
        self._signal()
        connection, self._connection, self.pid = self._connection, None, None
        if connection is not None:
            connection.close()
            await connection.lost.wait()
        await self._reaped(_KILLED_S)
        self._process = None

    def _heard(self, connection: _Connection, message: wire.ToBroker) -> None:
        match message:
            case wire.Done(batch, results, seconds):
                self.listener.on_done(self, batch, results, seconds)
            case wire.Failed(int() as batch):
                self.listener.on_failed(self, batch, wire.error_of(message))
            case _ if not connection.loaded.done():
                connection.loaded.set_result(message)
            case _:
                raise wire.BrokenPeer("an engine loads once")


def _start_process(spec: EngineSpec, descriptor: int) -> subprocess.Popen[bytes]:
    """The child. It inherits one descriptor, stderr, and no secrets of the environment."""
    environment = inherited_environment() | dict(spec.environment)
    # The package is found even where it runs from a checkout; the working directory is not
    # searched (-P), since anything may lie there.
    paths = [str(_IMPORT_ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = ":".join(filter(None, paths))
    return subprocess.Popen(  # noqa: S603 # our own interpreter and module # nosec B603
        [sys.executable, "-P", "-m", _MODULE, str(descriptor)],
        stdin=subprocess.DEVNULL,
        pass_fds=[descriptor],
        env=environment,
    )
