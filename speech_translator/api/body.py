"""Reading request bodies: under a cap, at a pace, as what they claim to be."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request

from speech_translator.api.errors import ClientDisconnected
from speech_translator.errors import (
    BodyTimeout,
    InvalidField,
    MalformedBody,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from speech_translator.security.input_validator import check_json

T = TypeVar("T")

FORM_TYPE = "application/x-www-form-urlencoded"
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\Z")
_PLACE = re.compile(r" - at `\$\.?([\w.]*)")
_NAMED = re.compile(r"missing required field `(\w+)`")
_EXPECTED = re.compile(r"Expected `([\w |]+)`(?: of length (<= \d+))?")

_MOST_DIGITS = 18  # Python makes no number of more than 4,300
_DRAIN_BYTES = 8 * 1024 * 1024
_DRAIN_S = 2.0


def media_type_of(headers: Headers) -> str:
    """The content type without its parameters, in lower case; empty when there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_json_type(headers: Headers) -> None:
    """Refuse a body that is not declared as JSON.

    ``curl -d`` declares a form. That is taken as JSON when neither ``Origin`` nor ``Sec-Fetch-*``
    is there: every browser sends one of them, so no page can use this to post across sites.

    Raises:
        UnsupportedMediaType: another type, or a compressed body.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed.")
    kind = media_type_of(headers)
    if _JSON_TYPE.match(kind):
        return
    by_browser = "origin" in headers or any(name.startswith("sec-fetch-") for name in headers)
    if kind in {"", FORM_TYPE} and not by_browser:
        return
    raise UnsupportedMediaType("Send JSON with `Content-Type: application/json`.")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that may pass between two pieces of a body, and for all of it."""

    idle_s: float
    total_s: float


def check_declared(headers: Headers, limit: int) -> None:
    """Refuse a body that says of itself that it is too large, before anything else is done for it.

    Nothing of it was read: the server lets the rest of it run out, for as long as it gives to a
    head, so that a client that sends on gets to see the answer.

    Raises:
        MalformedBody: ``Content-Length`` is no number.
        PayloadTooLarge: it is more than ``limit`` bytes.
    """
    declared = headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit():
        raise MalformedBody("Content-Length must be a number.")
    if len(declared.lstrip("0")) > _MOST_DIGITS or int(declared) > limit:
        raise _too_large(limit, begun=False)


def _too_large(limit: int, *, begun: bool = True) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The body is larger than {limit} bytes.", begun=begun, limit_bytes=limit
    )


class BodyReader:
    """A request's body in pieces as they arrive.

    Args:
        request: whose body was not read yet.
        limit: most bytes in all.
        pace: how long it may take.
    """

    def __init__(self, request: Request, *, limit: int, pace: Pace) -> None:
        self._request = request
        self._limit = limit
        self._pace = pace
        self._finished = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The pieces, in order.

        Raises:
            PayloadTooLarge: declared or found to be more than the limit.
            BodyTimeout: no piece in time.
            ClientDisconnected: the client left.
        """
        check_declared(self._request.headers, self._limit)
        taken = 0
        clock = asyncio.get_running_loop().time
        until = clock() + self._pace.total_s
        while not self._finished:
            try:
                async with asyncio.timeout(min(until - clock(), self._pace.idle_s)):
                    piece = await self._receive()
            except TimeoutError:
                raise BodyTimeout("The body came too slowly.") from None
            taken += len(piece)
            if taken > self._limit:
                raise _too_large(self._limit)
            if piece:
                yield piece

    async def whole(self) -> bytes:
        """All pieces together; who sends too much gets to see the answer. Raises as ``pieces``."""
        try:
            return b"".join([piece async for piece in self.pieces()])
        except PayloadTooLarge as error:
            if error.begun:
                await self.drain()
            raise

    async def drain(self) -> None:
        """Read on for a moment, so that a client that is still sending gets to see an answer.

        A socket that is closed with unread data is reset, and the answer is lost with it.
        """
        if self._finished or "expect" in self._request.headers:
            return  # who expects 100 waits for our word before the body
        taken = 0
        with contextlib.suppress(TimeoutError, ClientDisconnected):
            async with asyncio.timeout(_DRAIN_S):
                while taken < _DRAIN_BYTES and not self._finished:
                    taken += len(await self._receive())

    async def _receive(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            self._finished = True
            raise ClientDisconnected
        self._finished = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


async def read_json(
    request: Request,
    decoder: msgspec.json.Decoder[T],
    *,
    limit: int,
    pace: Pace,
    optional: bool = False,
) -> T:
    """The body as the type that ``decoder`` knows; an ``optional`` one that is not there is ``{}``.

    Raises:
        UnsupportedMediaType: not declared as JSON.
        MalformedBody: not JSON, not UTF-8, or nested too deeply.
        InvalidField: JSON, but with a field that is missing, unknown or of the wrong type.
        PayloadTooLarge, BodyTimeout, ClientDisconnected: as ``BodyReader``.
    """
    untyped = optional and "content-type" not in request.headers  # as without a body
    if not untyped:
        check_json_type(request.headers)
    data = await BodyReader(request, limit=limit, pace=pace).whole()
    if optional and not data:
        return decode_json(b"{}", decoder)
    if untyped:
        check_json_type(request.headers)
    return decode_json(data, decoder)


def decode_json(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """``data`` as the type that ``decoder`` knows; errors as ``read_json``."""
    check_json(data, max_bytes=len(data))  # whoever read it has bounded it
    try:
        return _decode(data, decoder)
    except msgspec.ValidationError as error:
        raise _invalid_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedBody("The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise MalformedBody("The body is nested too deeply.") from None


def _decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """As the decoder, which takes no ``5.0`` where ``5`` is meant: in JSON Schema they are one."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        if "got `float`" not in str(error):
            raise
    return msgspec.convert(_whole(msgspec.json.decode(data)), decoder.type)


def _whole(value: object) -> object:
    """Whole numbers as such, at any depth."""
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _invalid_field(complaint: str) -> InvalidField:
    """Our words for msgspec's, which would quote names and values that the caller sent."""
    place = _PLACE.search(complaint)
    field = place[1] if place else ""
    if missing := _NAMED.search(complaint):
        field = f"{field}.{missing[1]}".lstrip(".")
        return InvalidField(f"Field `{field}` is missing.", field=field)
    if expected := _EXPECTED.match(complaint):
        wanted = expected[1] + (f" of length {expected[2]}" if expected[2] else "")
        subject = f"Field `{field}`" if field else "The body"
        return InvalidField(f"{subject} must be: {wanted}.", field=field)
    if "unknown field" in complaint:
        where = f"Field `{field}`" if field else "The body"
        return InvalidField(f"{where} has a field that this route does not know.", field=field)
    if "base64" in complaint:
        return InvalidField(f"Field `{field}` must be: base64.", field=field)
    return InvalidField(f"Field `{field}` has a value that is not offered.", field=field)


async def cancel_on_disconnect(request: Request, work: Awaitable[T]) -> T:
    """The result of ``work``, which is cancelled when the client leaves.

    Only for requests whose body has been read to its end.

    Raises:
        ClientDisconnected: the client left first.
    """
    task = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        if task is not None:
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if gone and task is not None and task.uncancel() == 0:
            raise ClientDisconnected from None
        raise
    finally:
        watcher.cancel()
