"""The pool's end of its processes: message channels, and handles that can end a process for sure.

A process is held by its pidfd (pidfd_open(2)): a number in it cannot come to mean another process,
and it becomes readable only when the process is really gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from speech_translator.media.decoder_protocol import (
    FORK,
    HERE,
    JOB,
    MAX_MESSAGE,
    READY,
    UNFILTERED,
)

logger = logging.getLogger(__name__)

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_MODULE = "speech_translator.media.decoder_process"


class ProcessLostError(Exception):
    """A decoder or the nursery ended, or answered nonsense, before its answer was there."""


class Channel:
    """One end of a ``SOCK_SEQPACKET`` pair in an event loop: datagrams that may carry files."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._socket = sock

    def send(self, message: bytes, fds: Sequence[int] = ()) -> None:
        """Send at once; the few small messages of a job always fit. Raises ``ProcessLostError``."""
        try:
            socket.send_fds(self._socket, [message], fds)
        except OSError as error:
            raise ProcessLostError from error

    def fileno(self) -> int:
        """The descriptor, to wait for."""
        return self._socket.fileno()

    def poll(self) -> bytes | None:
        """The next message that is here already, or None. Raises ``ProcessLostError``."""
        try:
            message = self._socket.recv(MAX_MESSAGE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ProcessLostError from error
        if not message:
            raise ProcessLostError
        return message

    async def receive(self) -> bytes:
        """The next message; files that come with it are dropped. Raises ``ProcessLostError``."""
        while (message := self.poll()) is None:
            await readable(self.fileno())
        return message

    async def receive_file(self) -> tuple[bytes, int | None]:
        """The next message and the descriptor that came along. Raises ``ProcessLostError``."""
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self._socket, MAX_MESSAGE, 1)
            except BlockingIOError:
                await readable(self.fileno())
                continue
            except OSError as error:
                raise ProcessLostError from error
            if not message:
                raise ProcessLostError
            return message, fds[0] if fds else None

    def close(self) -> None:
        """Close; twice does no harm."""
        self._socket.close()


async def readable(fd: int) -> None:
    """Wait until ``fd`` can be read."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, wake)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


class Decoder:
    """One decoder process, from its fork to its end."""

    def __init__(self, channel: Channel, pidfd: int) -> None:
        self.channel = channel
        self._pidfd = pidfd
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process id, or None once it is gone: never a number that kill(2) reads as many."""
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/self/fdinfo/{self._pidfd}").read_text("ascii").splitlines():
                if line.startswith("Pid:"):
                    number = int(line.split()[1])
                    return number if number > 0 else None
        return None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return not poller.poll(0)

    def assign(self, job: bytes, fds: Sequence[int]) -> None:
        """Hand over the job with its files. Raises ``ProcessLostError``."""
        self.channel.send(JOB + job, fds)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        if not self._closed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def end(self) -> None:
        """Kill, wait until it is gone, and let go of everything; cancelling does not stop it."""
        self.kill()
        await readable(self._pidfd)
        self.close()

    def close(self) -> None:
        """Let go of the handle; a process that still runs sees its channel close."""
        if not self._closed:
            self._closed = True
            self.channel.close()
            os.close(self._pidfd)


class Nursery:
    """The process that forks decoders."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self._ready = False
        self._told = False

    @classmethod
    def spawn(cls, *, memory_mb: int) -> Nursery:
        """Start the process; it takes about half a second to be ready.

        Must run in the event loop's own thread: the process asks to die with that thread.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module # nosec B603
                [
                    sys.executable, "-P", "-s", "-B", "-m", _MODULE,
                    str(theirs.fileno()), str(memory_mb),
                ],
                env={
                    "PYTHONPATH": str(_PACKAGE_ROOT),
                    "OPENBLAS_NUM_THREADS": "1",
                    "OMP_NUM_THREADS": "1",
                    "LC_ALL": "C.UTF-8",
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )  # fmt: skip
        return cls(process, Channel(ours))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    async def ready(self) -> None:
        """Wait until it can fork. Raises ``ProcessLostError``."""
        if not self._ready:
            if await self._channel.receive() != READY:
                raise ProcessLostError
            self._ready = True

    async def fork(self) -> Decoder:
        """A fresh decoder. Raises ``ProcessLostError``."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel = Channel(ours)
        try:
            with theirs:
                self._channel.send(FORK, [theirs.fileno()])
            message, pidfd = await channel.receive_file()
        except BaseException:
            channel.close()  # a decoder that comes late sees this and ends
            raise
        if message not in {HERE, UNFILTERED} or pidfd is None:
            channel.close()
            raise ProcessLostError
        if message == UNFILTERED and not self._told:
            self._told = True
            logger.warning("Decoders run without a filter of system calls: the kernel has none")
        return Decoder(channel, pidfd)

    def kill(self) -> None:
        """End it now, and every decoder with it; who waits for its answer hears of it."""
        self._process.kill()

    async def end(self) -> None:
        """Kill it and every decoder with it, and reap it."""
        self._channel.close()
        self.kill()
        await asyncio.to_thread(self._process.wait)
