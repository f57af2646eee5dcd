"""Bodies about accounts: keys, tokens, usage, and what administrators see; as ``schemas``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from speech_translator.security.key_limits import LARGEST
from speech_translator.security.owners import MAX_CHARS, PRINTABLE
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import TierName

ScopeName = Annotated[str, Meta(extra_json_schema={"enum": [str(scope) for scope in Scope]})]
TierLabel = Annotated[str, Meta(extra_json_schema={"enum": [str(tier) for tier in TierName]})]

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CHARS, pattern=PRINTABLE)]


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


class CacheClearedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many results were forgotten."""

    cleared: int


class BreakerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One circuit breaker as this replica sees it.

    `since` is in seconds since 1970; `failures` are those in a row; `window_calls`,
    `window_failures` and `window_slow` count the calls of the sliding window; `probes` are under
    way; `retry_after_s` is the wait until a call may pass, 0 where it may now.
    """

    name: str
    state: Literal["closed", "open", "half_open"]
    since: float
    failures: int
    window_calls: int
    window_failures: int
    window_slow: int
    opens_total: int
    probes: int
    retry_after_s: float


class BreakersAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every circuit breaker; one is made when its dependency is called first."""

    breakers: list[BreakerAnswer]


class ResetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which breaker is closed; all of them where none is named."""

    name: Annotated[str, Meta(min_length=1, max_length=160)] | None = None


class ResetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the breakers that were closed."""

    reset: list[str]
