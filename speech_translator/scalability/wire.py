"""Messages between the broker and an engine process: length-prefixed MessagePack frames.

A frame is its length as four bytes, little-endian, and a MessagePack value. Samples travel as raw
float32 in an extension type. The two ends are the same program, so there is no version; a frame
that does not parse, or is larger than ``MAX_FRAME``, means that the other end is broken, and the
connection is closed.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np

from speech_translator import errors
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, EngineInfo, Result

MAX_FRAME = 256 * 1024 * 1024
"""Bytes of the largest frame; 64 clips of 30 s are 123 MB."""

_SAMPLES = 1
_LENGTH = struct.Struct("<I")


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


Message = Start | Run | Ready | Done | Failed


class BrokenPeer(Exception):
    """The other end sent what no end of ours sends."""


def _encode_other(value: object) -> object:
    if isinstance(value, np.ndarray):
        samples = np.ascontiguousarray(value, dtype=np.float32)
        return msgspec.msgpack.Ext(_SAMPLES, samples.data.cast("B"))
    if isinstance(value, np.floating):
        return float(value)
    raise NotImplementedError


def _decode_extension(code: int, data: memoryview) -> object:
    if code != _SAMPLES or len(data) % 4:
        raise BrokenPeer("unknown extension")
    return np.frombuffer(bytes(data), np.float32)


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other)
_decoder = msgspec.msgpack.Decoder(Message, ext_hook=_decode_extension)


def encode(message: Message) -> bytes:
    """The frame of a message."""
    frame = bytearray(_LENGTH.size)
    _encoder.encode_into(message, frame, _LENGTH.size)
    length = len(frame) - _LENGTH.size
    if length > MAX_FRAME:
        raise ValueError("a message is larger than a frame may be")
    _LENGTH.pack_into(frame, 0, length)
    return bytes(frame)


class FrameReader:
    """Cuts a byte stream into messages, whatever the pieces it arrives in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Messages that ``data`` completes, in order.

        Raises:
            BrokenPeer: the stream is not one of ours.
        """
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise BrokenPeer("frame too large")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                messages.append(_parse(view[start + _LENGTH.size : end]))
            start = end
        del buffer[:start]
        return messages


def _parse(frame: memoryview) -> Message:
    try:
        message: Message = _decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenPeer("frame does not parse") from error
    finally:
        frame.release()
    return message


def failure(batch: int | None, error: BaseException) -> Failed:
    """An error as it crosses: only ours keep their words, since others may quote a user's text."""
    if isinstance(error, errors.SpeechTranslatorError):
        return Failed(batch, error.code, error.message, _plain(error.details))
    return Failed(batch, errors.EngineFailed.code, f"The engine failed ({type(error).__name__}).")


def _plain(details: dict[str, object]) -> dict[str, Any]:
    """Details that MessagePack can carry; others are left behind."""
    try:
        plain: dict[str, Any] = msgspec.msgpack.decode(_encoder.encode(details))
    except (TypeError, NotImplementedError, OverflowError):
        return {}
    return plain


def _by_code(
    root: type[errors.SpeechTranslatorError],
) -> dict[str, type[errors.SpeechTranslatorError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_by_code(child))
    return found


def error_of(failed: Failed) -> errors.SpeechTranslatorError:
    """The error that crossed, as the class it had."""
    cls = _by_code(errors.SpeechTranslatorError).get(failed.code, errors.EngineFailed)
    return cls(failed.message, **failed.details)
