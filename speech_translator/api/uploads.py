"""Uploads: a multipart form streamed to disk under a cap, and the directory where it waits.

Only one part of a form is a file; it goes to disk piece by piece and is deleted when the request
ends. Whatever a killed process left behind is swept away at the next start: each process holds a
lock on its own directory, and a directory that nobody holds is nobody's.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from speech_translator.api.body import BodyReader, media_type_of
from speech_translator.errors import (
    EmptyAudio,
    InvalidField,
    MalformedBody,
    Overloaded,
    PayloadTooLarge,
    SpeechTranslatorError,
    UnsupportedMediaType,
)

FILE_FIELD = "file"
MAX_PARTS = 32
MAX_FIELD_BYTES = 256 * 1024
_FORM_OVERHEAD = 1024 * 1024
_WRITE_BYTES = 1024 * 1024
_RESERVE_BYTES = 64 * 1024 * 1024
_PREFIX = "speech-translator-uploads-"
_LOCK = "lock"


class UploadSpool:
    """The directory of one process's uploads.

    Args:
        parent: where to make it; the system's temporary directory by default.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._directory: Path | None = None
        self._lock = -1

    @property
    def directory(self) -> Path:
        """Where uploads wait.

        Raises:
            RuntimeError: the spool is not open.
        """
        if self._directory is None:
            raise RuntimeError("the upload spool is not open")
        return self._directory

    def open(self) -> None:
        """Make the directory, and sweep away what dead processes left."""
        self._parent.mkdir(parents=True, exist_ok=True)
        self._sweep()
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._parent))
        self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._directory = directory

    def close(self) -> None:
        """Remove the directory with all that is in it."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            os.close(self._lock)
            self._directory = None

    def _sweep(self) -> None:
        for directory in self._parent.glob(f"{_PREFIX}*"):
            try:
                lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue  # not ours to judge: another user's, or just being made
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            except BlockingIOError:
                continue  # its process lives
            finally:
                os.close(lock)


@dataclass(frozen=True, slots=True)
class Upload:
    """A received form: the file on disk, its size in bytes, and the other fields."""

    path: Path
    size: int
    fields: dict[str, str]


@asynccontextmanager
async def receive_upload(
    request: Request,
    spool: UploadSpool,
    *,
    fields: Collection[str],
    limit: int,
    idle_s: float,
) -> AsyncIterator[Upload]:
    """The request's form; its file is deleted on the way out.

    Args:
        request: whose body was not read yet.
        spool: where the file waits.
        fields: names that may stand beside ``file``.
        limit: most bytes of the file.
        idle_s: seconds that may pass between two pieces of the body.

    Raises:
        UnsupportedMediaType: not ``multipart/form-data``.
        MalformedBody: not a form, cut short, or a field that is not UTF-8.
        InvalidField: an unknown field, one given twice, no file or two.
        EmptyAudio: a file of no bytes.
        PayloadTooLarge: the file, a field or their number is over its limit.
        Overloaded: the disk is full.
    """
    boundary = _boundary(request)
    _check_room(request, spool)
    form = _Form(frozenset(fields), limit)
    reader = BodyReader(request, limit=limit + _FORM_OVERHEAD, idle_s=idle_s)
    descriptor, name = tempfile.mkstemp(dir=spool.directory)
    try:
        try:
            parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
            async for piece in reader.pieces():
                _parse(parser, piece)
                if len(form.pending) >= _WRITE_BYTES:
                    await _write(descriptor, form.take())
            await _write(descriptor, form.take())
            values = form.finish()
        except SpeechTranslatorError:
            await reader.drain()
            raise
        finally:
            os.close(descriptor)
        yield Upload(Path(name), form.size, values)
    finally:
        await asyncio.to_thread(os.unlink, name)


def _boundary(request: Request) -> bytes:
    if media_type_of(request.headers) != "multipart/form-data":
        raise UnsupportedMediaType(
            "Send the recording as `multipart/form-data` in the field `file`."
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed.")
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # noqa: PLR2004 # RFC 2046, section 5.1.1
        raise MalformedBody("The form has no usable boundary.")
    return boundary


def _check_room(request: Request, spool: UploadSpool) -> None:
    """Refuse an upload that the disk cannot hold before it is sent."""
    declared = request.headers.get("content-length", "0")
    wanted = int(declared) if declared.isascii() and declared.isdigit() else 0
    if shutil.disk_usage(spool.directory).free < wanted + _RESERVE_BYTES:
        raise Overloaded("There is no room for another upload.", retry_after=30)


def _parse(parser: MultipartParser, piece: bytes) -> None:
    try:
        parser.write(piece)
    except FormParserError:
        raise MalformedBody("The body is not a well-formed multipart form.") from None


async def _write(descriptor: int, data: bytes) -> None:
    """Write outside of the event loop: a busy disk must not stop other requests."""
    writing = asyncio.ensure_future(asyncio.to_thread(_write_all, descriptor, data))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        # The thread goes on; its descriptor must not be closed, and its number reused, before.
        await asyncio.wait([writing])
        raise
    except OSError:
        raise Overloaded("There is no room for another upload.", retry_after=30) from None


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@dataclass(slots=True)
class _Form:
    """Callbacks of the parser: gathers fields, and the file's bytes until they are written."""

    allowed: frozenset[str]
    limit: int
    pending: bytearray = field(default_factory=bytearray)
    size: int = 0
    _fields: dict[str, bytearray] = field(default_factory=dict)
    _name: str = ""
    _header: list[bytearray] = field(default_factory=lambda: [bytearray(), bytearray()])
    _disposition: bytes = b""
    _has_file: bool = False
    _parts: int = 0
    _ended: bool = False

    def callbacks(self) -> dict[str, object]:
        """What the parser calls."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def take(self) -> bytes:
        """The file's bytes that are not yet written."""
        data = bytes(self.pending)
        self.pending.clear()
        return data

    def finish(self) -> dict[str, str]:
        """The fields as text, once the whole form is there."""
        if not self._ended:
            raise MalformedBody("The form ends before its last boundary.")
        if not self._has_file:
            raise InvalidField("Field `file` is missing.", field=FILE_FIELD)
        if not self.size:
            raise EmptyAudio("The uploaded file is empty.")
        with contextlib.suppress(UnicodeDecodeError):
            return {name: value.decode("utf-8") for name, value in self._fields.items()}
        raise MalformedBody("A field of the form is not UTF-8.")

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise PayloadTooLarge(f"The form has more than {MAX_PARTS} parts.")
        self._disposition = b""
        self._header = [bytearray(), bytearray()]

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = bytes(self._header[1])
        self._header = [bytearray(), bytearray()]

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise MalformedBody("A part of the form has no name.")
        name = options[b"name"].decode("utf-8", "replace")
        if name == FILE_FIELD:
            if self._has_file:
                raise InvalidField("Send one file.", field=FILE_FIELD)
            self._has_file = True
        elif name not in self.allowed:
            known = ", ".join(sorted((FILE_FIELD, *self.allowed)))
            raise InvalidField(f"The form has an unknown field; known are: {known}.", field="")
        elif name in self._fields:
            raise InvalidField(f"Field `{name}` is given twice.", field=name)
        else:
            self._fields[name] = bytearray()
        self._name = name

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE_FIELD:
            self.size += end - start
            if self.size > self.limit:
                raise PayloadTooLarge(
                    f"The file is larger than {self.limit} bytes.", limit_bytes=self.limit
                )
            self.pending += data[start:end]
            return
        value = self._fields[self._name]
        if len(value) + end - start > MAX_FIELD_BYTES:
            raise PayloadTooLarge(
                f"Field `{self._name}` is larger than {MAX_FIELD_BYTES} bytes.",
                limit_bytes=MAX_FIELD_BYTES,
            )
        value += data[start:end]

    def _end(self) -> None:
        self._ended = True
