"""What is kept: accounts, keys, tokens and the audit log, in SQLite or PostgreSQL."""

from speech_translator.storage.audit import AuditEntry, AuditLog
from speech_translator.storage.database import Database, DatabaseConfig
from speech_translator.storage.keys import KeyRecord, KeyStore
from speech_translator.storage.tokens import SealedKey, TokenState, TokenStore
from speech_translator.storage.usage import UsageStore

__all__ = [
    "AuditEntry",
    "AuditLog",
    "Database",
    "DatabaseConfig",
    "KeyRecord",
    "KeyStore",
    "SealedKey",
    "TokenState",
    "TokenStore",
    "UsageStore",
]
