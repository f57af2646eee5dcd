"""The tables. Times are milliseconds since 1970 in UTC: both databases keep them exactly."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()

# SQLite counts up by itself only in columns that are INTEGER.
_Counting = BigInteger().with_variant(Integer, "sqlite")

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("scopes", String(256), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("replaced_by", String(32)),
    Column("limits", String(256)),
    Column("counts_as", String(32)),
    Index("api_keys_by_owner", "owner", "created_at"),
    Index("api_keys_by_count", "counts_as"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary(128), nullable=False),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", String(32), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Counting, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Index("audit_by_time", "at"),
    Index("audit_by_subject", "subject"),
    Index("audit_by_actor", "actor"),
    sqlite_autoincrement=True,
)

usage = Table(
    "usage",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("owner", String(128), primary_key=True),
    Column("key_id", String(32), primary_key=True),
    Column("operation", String(16), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("characters", BigInteger, nullable=False),
    Column("audio_ms", BigInteger, nullable=False),
    Index("usage_by_owner", "owner", "day"),
    Index("usage_by_key", "key_id", "day"),
)

usage_segments = Table(
    "usage_segments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("applied_at", BigInteger, nullable=False),
    Index("usage_segments_by_time", "applied_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", String(160), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("attempt", String(32), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("status", Integer),
    Column("content_type", String(128)),
    Column("body", LargeBinary),
    Index("idempotency_by_end", "expires_at"),
)

live_sessions = Table(
    "live_sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("token", LargeBinary(32), nullable=False, unique=True),
    Column("epoch", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("live_sessions_by_owner", "owner"),
    Index("live_sessions_by_end", "expires_at"),
)

erasures = Table(
    "erasures",
    metadata,
    Column("owner", String(128), primary_key=True),
    Column("pseudonym", String(64), nullable=False),
    Column("due_at", BigInteger, nullable=False),
)

erased_keys = Table(
    "erased_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
    Index("erased_keys_by_time", "erased_at"),
)
