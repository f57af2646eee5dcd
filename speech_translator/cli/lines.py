"""Standard input line by line, as it comes: somebody may be typing, or a program may never end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

READ_BYTES = 64 * 1024
"""Bytes that one read asks for."""

MAX_WAITING = 256
"""Chunks that wait to be worked on before reading pauses."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line and the line end that stood after it, or a part of one that is too long."""

    content: bytes
    end: bytes = b"\n"
    part: bool = False
    """Whether it is not the whole line; the last part of one has its end."""
    last: bool = True
    """Whether the line is over with it."""


class LineSplitter:
    """Bytes in, lines out; a line over ``limit`` bytes comes in parts, and none of it is lost."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._parted = False

    def feed(self, data: bytes) -> list[Line]:
        """The lines that ``data`` completes, and parts of one that it makes too long."""
        *whole, rest = data.split(b"\n")
        lines = []
        for piece in whole:
            lines += self._grow(piece)
            lines.append(self._take(b"\n"))
        return lines + self._grow(rest)

    def finish(self) -> list[Line]:
        """The last line, when nothing ended it."""
        return [self._take(b"")] if self._rest or self._parted else []

    def _grow(self, piece: bytes) -> list[Line]:
        self._rest += piece
        if len(self._rest) <= self._limit:
            return []
        part = Line(bytes(self._rest), b"", part=True, last=False)
        self._rest.clear()
        self._parted = True
        return [part]

    def _take(self, end: bytes) -> Line:
        content, parted = bytes(self._rest), self._parted
        self._rest.clear()
        self._parted = False
        if content.endswith(b"\r"):
            content, end = content[:-1], b"\r" + end
        return Line(content, end, parted)


async def chunks(stream: BinaryIO) -> AsyncGenerator[bytes]:
    """What ``stream`` gives, as soon as it gives it; a pipe or a terminal may take for ever.

    A daemon thread reads, since a blocked read cannot be cancelled and must not hold up the end.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(MAX_WAITING)
    left = threading.Event()

    def pump() -> None:
        # The loop is closed when the program is about to end; then nobody listens any more.
        with stream, suppress(RuntimeError):
            data = b"more"
            while data:
                room.acquire()
                data = b"" if left.is_set() else _read(stream)
                loop.call_soon_threadsafe(queue.put_nowait, data)

    threading.Thread(target=pump, name="input", daemon=True).start()
    try:
        while data := await queue.get():
            room.release()
            yield data
    finally:
        left.set()
        room.release()


def _read(stream: BinaryIO) -> bytes:
    """What is there, at least a byte; none at the end, and where reading fails."""
    read = getattr(stream, "read1", stream.read)
    try:
        return read(READ_BYTES) or b""
    except OSError:
        return b""


async def read_lines(stream: BinaryIO, limit: int) -> AsyncIterator[list[Line]]:
    """Lines of ``stream``, as many at a time as are there; those over ``limit`` bytes in parts."""
    splitter = LineSplitter(limit)
    async for data in chunks(stream):
        if lines := splitter.feed(data):
            yield lines
    if lines := splitter.finish():
        yield lines


async def read_all(stream: BinaryIO, limit: int) -> bytes:
    """The whole of ``stream``, or its first ``limit`` + 1 bytes when it is longer."""
    found = bytearray()
    async for data in chunks(stream):
        found += data
        if len(found) > limit:
            break
    return bytes(found[: limit + 1])
