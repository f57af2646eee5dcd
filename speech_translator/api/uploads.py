"""Uploads: a multipart form whose file is streamed to disk under a cap.

The file has no name on disk, so nothing is left behind however the request or the process ends.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from speech_translator.api.body import BodyReader, Pace, media_type_of
from speech_translator.errors import (
    EmptyAudio,
    InvalidField,
    MalformedBody,
    Overloaded,
    PayloadTooLarge,
    SpeechTranslatorError,
    UnsupportedMediaType,
)
from speech_translator.media import spool
from speech_translator.media.upload import SpooledUpload

FILE_FIELD = "file"
MAX_FIELD_BYTES = 256 * 1024
FORM_OVERHEAD = 1024 * 1024
"""Bytes that a form may have beside its file."""

_RESERVE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A received form: the file on disk, and the other fields."""

    file: SpooledUpload
    fields: dict[str, str]


@asynccontextmanager
async def receive_upload(
    request: Request,
    directory: Path | None,
    *,
    fields: Collection[str],
    limit: int,
    pace: Pace,
) -> AsyncIterator[Upload]:
    """The request's form; its file is gone on the way out.

    Args:
        request: whose body was not read yet.
        directory: where the file waits; None is the system's temporary directory.
        fields: names that may stand beside ``file``.
        limit: most bytes of the file.
        pace: how long the body may take.

    Raises:
        UnsupportedMediaType: not ``multipart/form-data``.
        MalformedBody: not a form, cut short, or a field that is not UTF-8.
        InvalidField: an unknown field, one given twice, no file or two.
        EmptyAudio: a file of no bytes.
        PayloadTooLarge: the file or a field is over its limit.
        Overloaded: the disk is full.
    """
    boundary = _boundary(request)
    _check_room(request, directory)
    form = _Form(frozenset(fields))
    parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
    reader = BodyReader(request, limit=limit + FORM_OVERHEAD, pace=pace)

    async def contents() -> AsyncIterator[bytes]:
        async for piece in reader.pieces():
            _parse(parser, piece)
            if form.pending:
                yield form.take()

    try:
        file = await spool(contents(), max_bytes=limit, directory=directory)
    except SpeechTranslatorError as error:
        if not isinstance(error, PayloadTooLarge) or error.begun:
            await reader.drain()
        raise
    except OSError as error:
        raise _no_room() from error
    with file:
        yield Upload(file, form.finish(file.size))


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


def _check_room(request: Request, directory: Path | None) -> None:
    """Refuse an upload that the disk cannot hold before it is sent."""
    declared = request.headers.get("content-length", "0")
    wanted = int(declared) if declared.isascii() and declared.isdigit() else 0
    where = directory or Path(tempfile.gettempdir())
    if shutil.disk_usage(where).free < wanted + _RESERVE_BYTES:
        raise _no_room()


def _no_room() -> Overloaded:
    return Overloaded("There is no room for another upload.", retry_after=30)


def _parse(parser: MultipartParser, piece: bytes) -> None:
    try:
        parser.write(piece)
    except FormParserError:
        raise MalformedBody("The body is not a well-formed multipart form.") from None


@dataclass(slots=True)
class _Form:
    """Callbacks of the parser: gathers fields, and the file's bytes until they are taken.

    Every name may stand once, so the number of parts is bounded by the names that are allowed.
    """

    allowed: frozenset[str]
    pending: bytearray = field(default_factory=bytearray)
    _fields: dict[str, bytearray] = field(default_factory=dict)
    _name: str = ""
    _header: list[bytearray] = field(default_factory=lambda: [bytearray(), bytearray()])
    _disposition: bytes = b""
    _has_file: bool = False
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
        """The file's bytes since the last time."""
        data = bytes(self.pending)
        self.pending.clear()
        return data

    def finish(self, size: int) -> dict[str, str]:
        """The fields as text, once the whole form and a file of ``size`` bytes are there."""
        if not self._ended:
            raise MalformedBody("The form ends before its last boundary.")
        if not self._has_file:
            raise InvalidField("Field `file` is missing.", field=FILE_FIELD)
        if not size:
            raise EmptyAudio("The uploaded file is empty.")
        with contextlib.suppress(UnicodeDecodeError):
            return {name: value.decode("utf-8") for name, value in self._fields.items()}
        raise MalformedBody("A field of the form is not UTF-8.")

    def _part_begin(self) -> None:
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
