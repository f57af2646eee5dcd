"""The events of OpenAI's realtime translation, the client's and the server's, by their own names.

https://developers.openai.com/api/reference/resources/realtime/translation-client-events and
.../translation-server-events.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from speech_translator.api.compat.openai_errors import OpenAIError
from speech_translator.api.compat.realtime_schemas import (
    ModelName,
    RealtimeAudioUpdate,
    RealtimeSession,
)

EventId = Annotated[str, Meta(max_length=512)]


# From the client


class RealtimeUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What of a session is to change. `type` and `model` can only be what they are."""

    audio: RealtimeAudioUpdate | UnsetType = UNSET
    type: Literal["translation"] | UnsetType = UNSET
    model: ModelName | UnsetType = UNSET


class ClientEvent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"
):
    """A message of the client; `event_id` comes back in an `error` that is about it."""

    event_id: EventId | UnsetType = UNSET


class SessionUpdate(
    ClientEvent, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="session.update"
):
    """Changes the session; what is left out stays as it was."""

    session: RealtimeUpdate


class AudioAppend(
    ClientEvent,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    tag="session.input_audio_buffer.append",
):
    """Sound: base64 of mono 16-bit little-endian PCM at 24 kHz; 200 ms of it is a good length."""

    audio: bytes


class SessionClose(
    ClientEvent, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="session.close"
):
    """No more sound comes: what was said is finished, then the session closes."""


# From the server


class RealtimeError(OpenAIError, frozen=True, kw_only=True):
    """What went wrong; `event_id` is that of the client's event which it is about."""

    event_id: str | None = None


class RealtimeEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A message of the server."""

    event_id: str


class ErrorEvent(RealtimeEvent, frozen=True, kw_only=True, tag="error"):
    """Something could not be done. The session goes on, unless it is closed next."""

    error: RealtimeError


class SessionCreated(RealtimeEvent, frozen=True, kw_only=True, tag="session.created"):
    """The session has begun, as the client secret or the defaults say; the first event."""

    session: RealtimeSession


class SessionUpdated(RealtimeEvent, frozen=True, kw_only=True, tag="session.updated"):
    """The session as it is from now on."""

    session: RealtimeSession


class InputTranscriptDelta(
    RealtimeEvent, frozen=True, kw_only=True, tag="session.input_transcript.delta"
):
    """What was said, to be put behind what was told before; where `transcription` is asked for."""

    delta: str
    elapsed_ms: int


class OutputTranscriptDelta(
    RealtimeEvent, frozen=True, kw_only=True, tag="session.output_transcript.delta"
):
    """Its translation, to be put behind what was told before."""

    delta: str
    elapsed_ms: int


class OutputAudioDelta(RealtimeEvent, frozen=True, kw_only=True, tag="session.output_audio.delta"):
    """A piece of the spoken translation: base64 of mono 16-bit PCM."""

    delta: bytes
    elapsed_ms: int
    sample_rate: int
    channels: int = 1
    format: Literal["pcm16"] = "pcm16"


class SessionClosed(RealtimeEvent, frozen=True, kw_only=True, tag="session.closed"):
    """The session is over, and everything was told; the last event."""
