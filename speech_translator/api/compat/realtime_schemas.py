"""Sessions and client secrets of OpenAI's realtime translation, by that project's own names.

What is not known is refused. What OpenAI has and we do not offer is taken, and the session that is
answered shows that it is not in it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from speech_translator.api.schemas import LanguageCode
from speech_translator.security.tokens import MAX_SECRET_LIFE_S

ModelName = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[A-Za-z0-9._:/@+-]+$")]

_SHORTEST_SECRET_S = 10
_USUAL_SECRET_S = 600


class RealtimeTranscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Asks for what was said, beside its translation. Which engine hears it, the service says."""

    model: ModelName


class RealtimeNoiseReduction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Asks for less noise, which is not reduced here."""

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class RealtimeInputUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What comes in. Noise is not reduced here: `noise_reduction` is null in what is answered."""

    transcription: RealtimeTranscription | UnsetType | None = UNSET
    noise_reduction: RealtimeNoiseReduction | UnsetType | None = UNSET


class RealtimeOutputUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What goes out."""

    language: LanguageCode | UnsetType = UNSET


class RealtimeAudioUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sound in and out."""

    input: RealtimeInputUpdate | UnsetType = UNSET
    output: RealtimeOutputUpdate | UnsetType = UNSET


class RealtimeSessionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A session that is to be had. `model` is told back; which engines work, the service says."""

    model: ModelName
    audio: RealtimeAudioUpdate | UnsetType = UNSET
    type: Literal["translation"] | UnsetType = UNSET


class RealtimeInput(msgspec.Struct, frozen=True, kw_only=True):
    """What comes in, as it is."""

    transcription: RealtimeTranscription | None
    noise_reduction: None = None


class RealtimeOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out, as it is."""

    language: str


class RealtimeAudio(msgspec.Struct, frozen=True, kw_only=True):
    """Sound in and out, as it is."""

    input: RealtimeInput
    output: RealtimeOutput


class RealtimeSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it is. `expires_at` is in seconds since 1970."""

    id: str
    model: str
    audio: RealtimeAudio
    expires_at: int
    type: Literal["translation"] = "translation"


class SecretLife(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a client secret ends. A session that it opened before goes on."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=_SHORTEST_SECRET_S, le=MAX_SECRET_LIFE_S)] = _USUAL_SECRET_S


class ClientSecretRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The session that a client secret is for, and how long it opens one."""

    session: RealtimeSessionRequest
    expires_after: SecretLife = SecretLife()


class ClientSecretAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A client secret, which is told once. It opens as many sessions as come before its end."""

    value: str
    expires_at: int
    session: RealtimeSession
