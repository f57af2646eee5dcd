"""Messages between the broker and an engine process: length-prefixed frames of MessagePack.

A frame is two little-endian 32-bit figures (bytes that follow, bytes of MessagePack among them),
one MessagePack value, and after it the samples of every array as raw float32, each piece aligned
to eight bytes. The value holds only where its arrays lie, so samples are written from and read
into place without passing through the serialiser.

Both ends are the same program, so there is no version. A frame that does not parse, or is larger
than ``MAX_FRAME``, means that the other end is broken: the connection is closed. No I/O in here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from speech_translator import errors
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, EngineInfo, Result

MAX_FRAME = 256 * 1024 * 1024
"""Bytes of the largest frame; 64 clips of 30 s are 123 MB."""

ROOM = 64 * 1024
"""Bytes of a reader's own buffer; frames that do not fit get one of their own."""

_HEAD = struct.Struct("<II")
_PLACE = struct.Struct("<II")
_SAMPLES = 1  # the extension type whose payload says where an array lies
_ALIGNED = 8
_FLOAT = 4

Kind = TypeVar("Kind")


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Broker to engine, first and once: what to load."""

    spec: EngineSpec


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Broker to engine: a batch of calls of one group."""

    batch: int
    calls: list[Call]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Engine to broker: loaded."""

    info: EngineInfo


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Engine to broker: the results of a batch, in order; ``seconds`` is the engine's own time."""

    batch: int
    results: list[Result]
    seconds: float


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Engine to broker: loading (batch None) or a batch raised an error."""

    batch: int | None
    code: str
    message: str
    details: dict[str, Any] = {}


ToEngine = Start | Run
ToBroker = Ready | Done | Failed
Message = ToEngine | ToBroker
Piece = bytearray | memoryview


class BrokenPeer(Exception):
    """The other end sent what no end of ours sends."""


class Packer:
    """Turns messages into frames. One for each thread: it gathers arrays while it packs."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._set_aside)
        self._pieces: list[Piece] = []
        self._size = 0

    def pack(self, message: Message) -> list[Piece]:
        """The frame in pieces, to be written one after the other; one piece without arrays.

        The arrays of the message must stay as they are until the pieces are written.

        Raises:
            InvalidText: a string is not text (a lone surrogate).
            PayloadTooLarge: the frame would be larger than ``MAX_FRAME``.
            TypeError: a value that cannot cross.
        """
        head = bytearray(_HEAD.size)
        try:
            self._encoder.encode_into(message, head, _HEAD.size)
            packed, pieces, size = len(head) - _HEAD.size, self._pieces, self._size
        except UnicodeEncodeError:
            raise errors.InvalidText("Text holds half a character (a lone surrogate).") from None
        except (ValueError, OverflowError, NotImplementedError) as error:
            raise TypeError("a value cannot cross to another process") from error
        finally:
            self._pieces, self._size = [], 0
        if pieces:
            head += bytes(-packed % _ALIGNED)
        size += len(head) - _HEAD.size
        if size > MAX_FRAME:
            raise errors.PayloadTooLarge("The call is larger than an engine takes.")
        _HEAD.pack_into(head, 0, size, packed)
        return [head, *pieces]

    def _set_aside(self, value: object) -> object:
        if isinstance(value, np.ndarray):
            samples = np.ascontiguousarray(value, dtype=np.float32).reshape(-1)
            place = _PLACE.pack(self._size, samples.nbytes)
            if samples.nbytes:
                padding = -samples.nbytes % _ALIGNED
                self._pieces.append(samples.data.cast("B"))
                if padding:
                    self._pieces.append(bytearray(padding))
                self._size += samples.nbytes + padding
            return msgspec.msgpack.Ext(_SAMPLES, place)
        if isinstance(value, np.generic):
            return value.item()
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame: MessagePack, and the bytes of its arrays.

    ``shared`` says that it lies in a buffer that will be overwritten.
    """

    packed: memoryview
    arrays: memoryview
    shared: bool


class Unpacker(Generic[Kind]):
    """Turns frames into messages of one end; not for several threads at a time.

    Args:
        kind: the union of messages that may come.
    """

    def __init__(self, kind: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind, ext_hook=self._fetch)
        self._arrays = memoryview(b"")
        self._count = 0

    def unpack(self, frame: Frame) -> Kind:
        """The message in ``frame``; arrays are aligned, writable and the message's own.

        Raises:
            BrokenPeer: it is not a message of the other end.
        """
        arrays = frame.arrays
        if frame.shared and arrays:
            arrays = memoryview(bytearray(arrays))
        self._arrays = arrays
        try:
            message: Kind = self._decoder.decode(frame.packed)
        except (msgspec.DecodeError, ValueError, struct.error, RecursionError) as error:
            raise BrokenPeer("frame does not parse") from error
        finally:
            self._arrays = memoryview(b"")
        return message

    def _fetch(self, code: int, data: memoryview) -> npt.NDArray[np.float32]:
        start, size = _PLACE.unpack(data)
        arrays = self._arrays
        if code != _SAMPLES or start % _ALIGNED or size % _FLOAT or start + size > len(arrays):
            raise BrokenPeer("an array lies outside of its frame")
        found = np.frombuffer(arrays[start : start + size], np.float32)
        # One of several would hold the bytes of all of them for as long as it lives.
        return found if size + _ALIGNED > len(arrays) else found.copy()


class FrameReader:
    """Cuts a byte stream into frames, whatever the pieces it arrives in.

    The owner reads into ``space()``, says by ``filled()`` how much came, and takes ``frames()``
    before it reads again. A large frame is read straight into a buffer of its own.
    """

    def __init__(self) -> None:
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)
        self._start = 0
        self._end = 0
        self._large: memoryview | None = None
        self._packed = 0
        self._have = 0

    def space(self) -> memoryview:
        """Where the next bytes belong; never empty."""
        if self._large is not None:
            return self._large[self._have :]
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start and self._end > ROOM // 2:
            left = self._end - self._start
            self._room[:left] = self._room[self._start : self._end]
            self._start, self._end = 0, left
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """``count`` bytes were read into ``space()``."""
        if self._large is not None:
            self._have += count
        else:
            self._end += count

    def frames(self) -> Iterator[Frame]:
        """Whole frames that are there, in order; each is good until the next ``space()``.

        Raises:
            BrokenPeer: the stream is not one of ours.
        """
        if self._large is not None:
            if self._have < len(self._large):
                return
            large, self._large = self._large, None
            yield Frame(large[: self._packed], large[_padded(self._packed) :], shared=False)
        while self._end - self._start >= _HEAD.size:
            size, packed = _HEAD.unpack_from(self._room, self._start)
            if size > MAX_FRAME or packed > size or not packed:
                raise BrokenPeer("the head of a frame is none of ours")
            body = self._start + _HEAD.size
            if self._end - body >= size:
                self._start = body + size
                arrays = self._view[body + _padded(packed) : body + size]
                yield Frame(self._view[body : body + packed], arrays, shared=True)
            else:
                if size + _HEAD.size > ROOM:
                    self._begin_large(body, size, packed)
                return

    def _begin_large(self, body: int, size: int, packed: int) -> None:
        self._large = memoryview(bytearray(size))
        self._packed = packed
        self._have = self._end - body
        self._large[: self._have] = self._view[body : self._end]
        self._start = self._end = 0


def _padded(size: int) -> int:
    return size + -size % _ALIGNED


def failure(batch: int | None, error: BaseException) -> Failed:
    """An error as it crosses: only ours keep their words, since others may quote a user's text."""
    if not isinstance(error, errors.SpeechTranslatorError):
        code = errors.EngineFailed.code
        return Failed(batch, code, f"The engine failed ({type(error).__name__}).")
    details = dict(error.details)
    if isinstance(error, errors.Unavailable) and error.retry_after is not None:
        details["retry_after"] = error.retry_after
    return Failed(batch, error.code, error.message, _plain(details))


def _plain(details: dict[str, object]) -> dict[str, Any]:
    """Details that MessagePack can carry; others are left behind."""
    try:
        plain: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(details))
    except (TypeError, ValueError, NotImplementedError, OverflowError):
        return {}
    return plain


@cache
def _classes() -> dict[str, type[errors.SpeechTranslatorError]]:
    found: dict[str, type[errors.SpeechTranslatorError]] = {}
    ahead: list[type[errors.SpeechTranslatorError]] = [errors.SpeechTranslatorError]
    while ahead:
        cls = ahead.pop()
        found.setdefault(cls.code, cls)
        ahead += cls.__subclasses__()
    return found


def error_of(failed: Failed) -> errors.SpeechTranslatorError:
    """The error that crossed, as the class it had; a code that nobody knows is ``EngineFailed``."""
    cls: Callable[..., errors.SpeechTranslatorError]
    cls = _classes().get(failed.code, errors.EngineFailed)
    try:
        return cls(failed.message, **failed.details)
    except TypeError:  # details that are no keyword arguments of this class
        return cls(failed.message)
