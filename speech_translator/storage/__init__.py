"""What is kept: accounts, keys and the audit log, in SQLite or PostgreSQL."""

from speech_translator.storage.audit import AuditEntry, AuditLog
from speech_translator.storage.database import Database, DatabaseConfig
from speech_translator.storage.keys import KeyRecord, KeyStore

__all__ = ["AuditEntry", "AuditLog", "Database", "DatabaseConfig", "KeyRecord", "KeyStore"]
