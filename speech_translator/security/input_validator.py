"""The door for what strangers send: bounds before parsing, and text that stays text.

Usable on its own; each check is a function, and raises an error of the tree that quotes nothing of
what was sent. Text is data: nothing in it is interpreted, and what is taken is taken as it is.

Fails closed: what cannot be checked is refused.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from speech_translator.errors import (
    EmptyAudio,
    InvalidMarkup,
    MalformedBody,
    PayloadTooLarge,
    TextTooLong,
)
from speech_translator.media.decoder_values import DecodedAudio, TimeLeft, Upload
from speech_translator.media.upload import SpooledUpload, spool
from speech_translator.text import markup, validation

if TYPE_CHECKING:
    from nh3 import Cleaner

composed = validation.composed
"""The form in which texts are looked up and given to engines (NFC); answers keep the sender's."""

MAX_JSON_DEPTH = 32
MAX_SANITISED_TAGS = 2_000
"""Tags of a document that is sanitised: a parser's work may grow with their square."""

_GROWTH = 8
_SLACK_CHARS = 1_000
_PIECE_BYTES = 1 << 20
_BRACKETS = b"[]{}"
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_STEPS = bytes.maketrans(_BRACKETS, b"\x02\x00\x02\x00")
_START_TAG = re.compile(r"<[A-Za-z]")


def check_text(text: str, *, max_chars: int, max_bytes: int | None = None) -> str:
    """A text, as it was sent.

    Args:
        text: any text; only spaces or emoji are fine.
        max_chars: most characters.
        max_bytes: most bytes in UTF-8; None bounds them by the characters alone.

    Raises:
        EmptyText: it is the empty string.
        TextTooLong: it has more characters or bytes.
        InvalidText: it holds control characters, NUL among them, other than tab and line ends, or
            lone surrogates.
    """
    validation.validate_text(text, max_chars)
    if max_bytes is not None and len(text.encode()) > max_bytes:
        raise TextTooLong(f"The text has more than {max_bytes} bytes.", max_bytes=max_bytes)
    return text


def check_json(data: bytes, *, max_bytes: int, max_depth: int = MAX_JSON_DEPTH) -> None:
    """Bound a JSON document before it is parsed. Whether it is one, the parser says.

    Raises:
        PayloadTooLarge: it has more bytes.
        MalformedBody: arrays and objects are nested deeper.
    """
    if len(data) > max_bytes:
        raise PayloadTooLarge(f"The JSON is larger than {max_bytes} bytes.", limit_bytes=max_bytes)
    if _json_depth(data, max_depth) > max_depth:
        raise MalformedBody("The body is nested too deeply.")


def _json_depth(data: bytes, enough: int) -> int:
    """How deep arrays and objects are nested; 0 where they cannot be deeper than ``enough``."""
    if data.count(b"[") + data.count(b"{") <= enough:
        return 0
    outside = data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    steps = b"".join(outside).translate(_STEPS, _OTHERS)
    return max(accumulate(step - 1 for step in steps), default=0)


def check_html(document: str) -> None:
    """Bound an HTML document before anything is done with it.

    Raises:
        InvalidMarkup: elements are nested more than ``markup.MAX_DEPTH`` deep.
    """
    markup.visible(document)


async def sanitise_html(document: str) -> str:
    """A document without scripts, styles, forms, handlers and other sites' frames (ammonia).

    Depth and number of tags are bounded first: parsers repair what is not closed, with work that
    grows with the square of it. It runs in a thread.

    Raises:
        InvalidMarkup: nested too deeply, too many tags, or more repair than text.
    """
    check_html(document)
    if sum(1 for _ in _START_TAG.finditer(document)) > MAX_SANITISED_TAGS:
        raise InvalidMarkup(
            f"Up to {MAX_SANITISED_TAGS} tags are sanitised.", max_tags=MAX_SANITISED_TAGS
        )
    cleaned = await asyncio.to_thread(_cleaner().clean, document)
    if len(cleaned) > _GROWTH * len(document) + _SLACK_CHARS:
        raise InvalidMarkup("The HTML leaves too many elements open.")
    return cleaned


@cache
def _cleaner() -> Cleaner:
    import nh3  # noqa: PLC0415 - few ask for it

    everywhere = {"translate", "dir", "lang", "title"}  # what is not to be translated stays so
    attributes = {**nh3.ALLOWED_ATTRIBUTES, "*": everywhere}
    return nh3.Cleaner(attributes={tag: set(names) for tag, names in attributes.items()})


class AudioDecoder(Protocol):
    """What decodes uploads in a sandbox: ``media.DecoderPool`` is one."""

    async def decode(
        self, source: Upload, *, max_seconds: float, deadline: TimeLeft | float
    ) -> DecodedAudio:
        """The samples; see ``DecoderPool.decode``."""
        ...


@dataclass(frozen=True, slots=True)
class AudioBounds:
    """How large an upload may be, in bytes, and how long what it holds, in seconds."""

    max_bytes: int = 512 * 1024 * 1024
    max_seconds: float = 2 * 3600.0


async def validate_audio_upload(
    source: AsyncIterable[bytes] | SpooledUpload,
    decoders: AudioDecoder,
    *,
    deadline: TimeLeft | float,
    bounds: AudioBounds | None = None,
    directory: Path | None = None,
) -> DecodedAudio:
    """The sound of an upload, if it is one: received under a cap, told by its content, decoded.

    Neither its name nor its declared type is asked for: it waits on disk as a file without a name,
    and is gone when this returns. Decoding happens in a process that may do nothing else.

    Args:
        source: the upload in pieces (see ``pieces``), or where it waits already.
        decoders: what decodes it.
        deadline: when the caller stops waiting; a number is seconds from now.
        bounds: its largest size and length.
        directory: where it waits; None is the system's temporary directory.

    Raises:
        PayloadTooLarge: more bytes came; the rest is not read.
        EmptyAudio, UnsupportedAudio, NoAudioTrack, DamagedAudio, AudioTooLong: by its content.
        Overloaded, DeadlineExceeded, EngineUnavailable, ShuttingDown: no decoder was free in time.
    """
    bounds = bounds or AudioBounds()
    if isinstance(source, SpooledUpload):
        if not source.size:
            raise EmptyAudio("The uploaded file is empty.")
        return await decoders.decode(source, max_seconds=bounds.max_seconds, deadline=deadline)
    with await spool(source, max_bytes=bounds.max_bytes, directory=directory) as upload:
        return await validate_audio_upload(upload, decoders, deadline=deadline, bounds=bounds)


class Readable(Protocol):
    """An upload as frameworks hand it over: Starlette's and FastAPI's ``UploadFile`` is one."""

    async def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


async def pieces(upload: Readable) -> AsyncIterator[bytes]:
    """The bytes of an upload, a MiB at a time."""
    while piece := await upload.read(_PIECE_BYTES):
        yield piece
