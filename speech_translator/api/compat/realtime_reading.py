"""What a client of OpenAI's realtime translation sends, read and checked. Pure."""

from __future__ import annotations

from typing import get_args

import msgspec
from msgspec import UNSET, UnsetType

from speech_translator.api.body import decode_json
from speech_translator.api.compat.realtime_events import (
    AudioAppend,
    EventId,
    SessionClose,
    SessionUpdate,
)
from speech_translator.errors import InvalidField, PayloadTooLarge, ProtocolViolation

MAX_EVENT_CHARS = 1024 * 1024
"""Longest event of a client: 16 s of sound."""

Event = SessionUpdate | AudioAppend | SessionClose


class _Named(msgspec.Struct, frozen=True):
    """What is read of an event that is none."""

    event_id: EventId | UnsetType = UNSET


_named = msgspec.json.Decoder(_Named)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def read_event(message: str | bytes) -> Event:
    """A message of the client.

    Raises:
        ProtocolViolation: it is binary.
        PayloadTooLarge: it is too long.
        MalformedBody, InvalidField: it is no event, or one with a field that is wrong.
    """
    if isinstance(message, bytes):
        raise ProtocolViolation("Events are JSON text; sound goes into them as base64.")
    if len(message) > MAX_EVENT_CHARS:
        raise PayloadTooLarge("The event is too large.", max_bytes=MAX_EVENT_CHARS)
    try:
        return decode_json(message.encode(errors="surrogatepass"), _events)
    except InvalidField as error:
        if error.details["field"] != "type":
            raise
        known = ", ".join(str(kind.__struct_config__.tag) for kind in get_args(Event))
        raise InvalidField(f"The `type` of an event is one of: {known}.", field="type") from None


def id_of(event: Event | _Named) -> str | None:
    """The id that the client gave an event."""
    return None if isinstance(event.event_id, UnsetType) else event.event_id


def id_in(message: str | bytes) -> str | None:
    """The same of a message that is no event; None where that cannot be read either."""
    try:
        return id_of(_named.decode(message))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
