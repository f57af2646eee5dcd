"""Bodies of requests and answers, field by field; the OpenAPI document is generated from these.

Times are seconds as floats. Languages are BCP-47 tags. A field that does not apply is left out.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

LanguageCode = Annotated[
    str,
    Meta(
        description="ISO 639-1 (`en`), 639-3 (`eng`), FLORES-200 (`eng_Latn`) or BCP-47 (`pt-BR`).",
        extra_json_schema={"minLength": 2, "maxLength": 35, "examples": ["pt", "por_Latn"]},
    ),
]
SourceCode = Annotated[
    str,
    Meta(
        description="As the target's, or `auto` to detect it.",
        extra_json_schema={"minLength": 2, "maxLength": 35, "examples": ["en", "auto"]},
    ),
]


class TranslateTextRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Text to translate: one string, or a list of up to 128."""

    text: str | list[str]
    target_language: LanguageCode
    source_language: SourceCode = "auto"
    format: Literal["text", "html"] = "text"
    sanitize: bool = False
    glossary: dict[str, str] = {}


class TextItem(msgspec.Struct, frozen=True, kw_only=True):
    """How one text of a list was translated."""

    source_language: str
    engine: str
    route: tuple[str, ...]
    cached: bool
    degraded: bool
    rule_based: bool
    detected_language: str | UnsetType = UNSET


class TranslateTextAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The translation: a string for a string, a list in the same order for a list.

    For a list, `items` says how each text was translated, and the fields beside it sum that up:
    `engine` joins different engines by `+`, `route` holds every step that was taken, `cached`
    means all, `degraded` and `rule_based` mean any, and a language that differs between the texts
    is `mul` (ISO 639-2, several languages). A language that cannot be told, as of emoji, is `und`.
    `rule_based`: made by dictionaries and rules, at least in part, which know no context.
    """

    translation: str | list[str]
    source_language: str
    target_language: str
    engine: str
    route: tuple[str, ...]
    cached: bool
    degraded: bool
    rule_based: bool
    request_id: str
    detected_language: str | UnsetType = UNSET
    items: tuple[TextItem, ...] | UnsetType = UNSET


class WordAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One recognised word."""

    start: float
    end: float
    text: str
    probability: float


class SegmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of speech. `confidence` (0 to 1) comes with `verbose_json`."""

    id: int
    start: float
    end: float
    text: str
    translation: str | UnsetType = UNSET
    words: tuple[WordAnswer, ...] | UnsetType = UNSET
    confidence: float | UnsetType = UNSET


class TranslationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The translation of a recording."""

    text: str
    language: str
    route: tuple[str, ...]
    degraded: bool
    rule_based: bool


class RecordingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was uploaded, by its content. `truncated`: a part of it could not be decoded."""

    format: str
    codec: str
    sample_rate: int
    channels: int
    truncated: bool


class TranscriptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in a recording. `audio` comes with `verbose_json`."""

    text: str
    language: str
    language_confidence: float
    duration: float
    segments: tuple[SegmentAnswer, ...]
    engine: str
    degraded: bool
    request_id: str
    translation: TranslationAnswer | UnsetType = UNSET
    audio: RecordingInfo | UnsetType = UNSET


class SpeechAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Both texts of a recording translated into speech, and what the speech is.

    `audio` is base64 and stands in the JSON form only; in the multipart form it is the next part.
    """

    text: str
    language: str
    language_confidence: float
    duration: float
    segments: tuple[SegmentAnswer, ...]
    engine: str
    degraded: bool
    translation: TranslationAnswer
    voice: str
    voice_engine: str
    audio_format: str
    audio_media_type: str
    audio_duration: float
    sample_rate: int
    request_id: str
    audio: str | UnsetType = UNSET


class SpeechSupport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a language can be recognised and spoken, and where its speech can go."""

    recognised: bool
    spoken: bool
    targets: tuple[str, ...]


class LanguageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One language; `targets` are the languages that its text can be translated into.

    `routes` gives the steps by which each target is reached, as in `["bergamot:en-pt"]`;
    `rule_based` names the targets that are reached by dictionaries and rules, at least in part,
    rather than by a trained model.
    """

    code: str
    name: str
    targets: tuple[str, ...]
    flores: str
    iso639_3: str
    routes: dict[str, tuple[str, ...]]
    rule_based: tuple[str, ...]
    speech: SpeechSupport


class VoiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A voice for `POST /translate/speech`."""

    id: str
    name: str
    engine: str
    language: str
    gender: str
    region: str | None


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalog: whose it is, and what its licence allows.

    `installed`: its files are here; `loaded`: an engine runs it; `install`: the command that adds
    it. `sha256` is of the file with the weights.
    """

    id: str
    engine: str
    task: str
    name: str
    languages: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    size_bytes: int
    licence: str
    commercial_use: bool
    source: str
    revision: str
    sha256: str | None
    provenance: str
    embedded: bool
    installed: bool
    loaded: bool
    install: str


class EngineHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's state: starting, ready, restarting, failed or missing."""

    task: str
    state: str
    message: str
    queued: int
    in_flight: int
    restarts: int


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One check, as it was found last. Times are seconds since 1970.

    `level` is unknown, ok, warning or failed; a failure of a critical check makes the service
    unhealthy, that of an important one degraded, and an informational one is only shown. `since` is
    when the level last changed, `last_ok` when it was last ok, `duration_ms` that of the last look.
    """

    level: Literal["unknown", "ok", "warning", "failed"]
    criticality: Literal["critical", "important", "informational"]
    detail: str
    since: float
    checked_at: float | None
    last_ok: float | None
    duration_ms: float


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`engines` and `checks` are shown to administrators, and in development."""

    overall_status: Literal["healthy", "degraded", "unhealthy"]
    ready: bool
    version: str
    uptime_seconds: float
    tasks: dict[str, str]
    engines: dict[str, EngineHealth] | UnsetType = UNSET
    checks: dict[str, CheckAnswer] | UnsetType = UNSET


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's answer."""

    status: str


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What this service is and where to go on.

    `key_needed`: whether requests that make the engines work need a key or a token.
    """

    name: str
    version: str
    description: str
    key_needed: bool
    links: dict[str, str]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457). Some codes add further members, such as `close_matches`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
