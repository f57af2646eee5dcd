"""Bodies of requests and answers, field by field; the OpenAPI document is generated from these.

Times are seconds as floats. Languages are BCP-47 tags. A field that does not apply is left out.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from speech_translator.security.key_limits import LARGEST
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import TierName

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
ScopeName = Annotated[str, Meta(extra_json_schema={"enum": [str(scope) for scope in Scope]})]
TierLabel = Annotated[str, Meta(extra_json_schema={"enum": [str(tier) for tier in TierName]})]


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


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`engines` is shown to administrators, and in development."""

    overall_status: Literal["healthy", "degraded", "unhealthy"]
    ready: bool
    version: str
    uptime_seconds: float
    tasks: dict[str, str]
    engines: dict[str, EngineHealth] | UnsetType = UNSET


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's answer."""

    status: str


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What this service is and where to go on."""

    name: str
    version: str
    description: str
    links: dict[str, str]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457). Some codes add further members, such as `close_matches`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""Of names: no control characters, which one of the databases cannot keep."""

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]


def _upto(limit: str) -> Meta:
    return Meta(ge=1, le=LARGEST[limit])


class KeyLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one key may take at most, below its owner's tier. What is left out, its owner may."""

    requests_per_minute: Annotated[int, _upto("requests_per_minute")] | UnsetType = UNSET
    requests_per_day: Annotated[int, _upto("requests_per_day")] | UnsetType = UNSET
    characters_per_month: Annotated[int, _upto("characters_per_month")] | UnsetType = UNSET
    audio_minutes_per_month: Annotated[int, _upto("audio_minutes_per_month")] | UnsetType = UNSET


class ApiKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose key, and what for. Without `scopes` it opens all of the product, and no operation."""

    user_id: UserId
    tier: TierLabel = "free"
    name: Annotated[str, msgspec.Meta(max_length=128, pattern=PRINTABLE)] = ""
    scopes: list[ScopeName] | None = None
    expires_in_days: Annotated[float, msgspec.Meta(ge=1, le=3650)] | None = None
    limits: KeyLimits | None = None


class ApiKeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key, never the key itself. Times are seconds since 1970.

    `stale`: it is older than it should be, and still opens something. Rotate it.
    """

    key_id: str
    user_id: str
    name: str
    tier: TierLabel
    scopes: list[ScopeName]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    replaced_by: str | None
    limits: KeyLimits
    age_days: int
    stale: bool


class ApiKeyAnswer(ApiKeyInfo, frozen=True, kw_only=True):
    """A new key. `api_key` is not shown again."""

    api_key: str


class RotationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long the old key goes on, so that everybody who uses it can change over."""

    overlap_hours: Annotated[float, msgspec.Meta(ge=0, le=720)] = 24


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the token is for; without `scopes` it opens all that the key does."""

    scopes: list[ScopeName] | None = None


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A token (RFC 6750) and the seconds until it ends."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of its kind
    expires_in: int


class JsonWebKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class JsonWebKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Public keys (RFC 7517)."""

    keys: list[JsonWebKey]


class ApiKeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of keys, the newest first. `next` goes into `after` for the page that follows."""

    keys: list[ApiKeyInfo]
    next: str | None


class UsedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts that were used."""

    requests: int
    characters: int
    audio_seconds: float


class KeyUsage(UsedAnswer, frozen=True, kw_only=True):
    """What one key used this month."""

    key_id: str


class LimitStanding(msgspec.Struct, frozen=True, kw_only=True):
    """One limit: what is left of it, and the seconds until all of it is there again."""

    name: str
    limit: int
    remaining: int
    reset_after: float


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner has used in this UTC day and month, and what is left of each limit.

    Limits on sound are in seconds. A limit that is not there is unlimited.
    """

    user_id: str
    tier: str
    day: UsedAnswer
    month: UsedAnswer
    keys: list[KeyUsage]
    limits: list[LimitStanding]


class UsageLineAnswer(UsedAnswer, frozen=True, kw_only=True):
    """One line of a report. `key_id` is empty where all of an owner's keys are one line."""

    period: str
    user_id: str
    key_id: str
    operation: str


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """Usage from day to day, both included, in the order of period, owner, key and operation.

    `next` is where the next page begins, null at the end.
    """

    first_day: str
    last_day: str
    lines: list[UsageLineAnswer]
    next: str | None = None


class AuditEntryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One act. `at` is in seconds since 1970; `outcome` is `done` or an error's code."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    outcome: str
    address: str
    request_id: str


class AuditAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit log. `next` goes into `before` for the page that follows."""

    entries: list[AuditEntryAnswer]
    next: int | None


class UserExport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a user, by what keeps it. Times are seconds since 1970."""

    user_id: str
    exported_at: float
    data: dict[str, list[dict[str, Any]]]


class ErasureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How much was erased of what; `pseudonym` takes the user's place in the audit log."""

    pseudonym: str
    erased: dict[str, int]


class LibreTranslateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """LibreTranslate's request: `q` is a string or a list, `api_key` may stand in a header."""

    q: str | list[str]
    target: LanguageCode
    source: SourceCode
    format: Literal["text", "html"] = "text"
    alternatives: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    api_key: str = ""


class LibreDetection(msgspec.Struct, frozen=True, kw_only=True):
    """A language, and how sure it is, from 0 to 100."""

    confidence: float
    language: str


class LibreTranslateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """LibreTranslate's answer: strings for a string, lists for a list."""

    translatedText: str | list[str]  # noqa: N815 - that project's name
    detectedLanguage: LibreDetection | list[LibreDetection] | UnsetType = UNSET  # noqa: N815
    alternatives: list[str | list[str]] | UnsetType = UNSET


class LibreDetectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """LibreTranslate's question for the language of a text."""

    q: str
    api_key: str = ""


class LibreError(msgspec.Struct, frozen=True, kw_only=True):
    """An error as LibreTranslate tells it."""

    error: str
