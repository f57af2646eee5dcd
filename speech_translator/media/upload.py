"""Uploads on their way to a decoder: spooled to disk under a cap, never held in memory.

The file has no name: nothing is left behind when the service ends, however it ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from speech_translator.errors import PayloadTooLarge

_WRITE_BYTES = 1 << 20


class SpooledUpload:
    """A complete upload. Close it, or use it in a ``with`` block; its bytes go with it.

    Attributes:
        size: bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size

    def fileno(self) -> int:
        """The descriptor, as ``DecoderPool.decode`` takes it."""
        return self._file.fileno()

    def read(self) -> bytes:
        """All bytes, from the start."""
        self._file.seek(0)
        return self._file.read()

    def digest(self) -> bytes:
        """SHA-256 of the bytes; the next reader starts from the start."""
        self._file.seek(0)
        found = hashlib.sha256()
        while piece := self._file.read(_WRITE_BYTES):
            found.update(piece)
        self._file.seek(0)
        return found.digest()

    def close(self) -> None:
        """Delete the upload; twice does no harm."""
        self._file.close()

    def __enter__(self) -> Self:
        """The upload itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


async def spool(
    chunks: AsyncIterable[bytes], *, max_bytes: int, directory: Path | None = None
) -> SpooledUpload:
    """Write a stream of bytes to disk.

    Args:
        chunks: the body, in pieces of any size.
        max_bytes: most bytes that are taken.
        directory: where to; None is the system's temporary directory.

    Raises:
        PayloadTooLarge: more came. Nothing is kept, and the rest is not read.
    """
    file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - the upload owns it
    try:
        size = await _write(chunks, file, max_bytes)
    except BaseException:
        file.close()
        raise
    return SpooledUpload(file, size)


async def _write(chunks: AsyncIterable[bytes], file: BinaryIO, max_bytes: int) -> int:
    """Write in pieces that are worth a thread's while; the size."""
    size, pending = 0, bytearray()
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise PayloadTooLarge(
                f"The upload is larger than {max_bytes} bytes.", limit_bytes=max_bytes
            )
        pending += chunk
        if len(pending) >= _WRITE_BYTES:
            await asyncio.to_thread(file.write, bytes(pending))
            pending.clear()
    file.write(pending)
    file.flush()
    return size
