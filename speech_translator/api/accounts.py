"""Accounts behind the API: opened when they are first needed, in production at the start.

Many a development start never makes a key; the database and its libraries cost 40 MiB.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from speech_translator.errors import ConfigurationError, StoreUnavailable
from speech_translator.reliability import BreakerConfig, CircuitBreaker, CircuitBreakerRegistry
from speech_translator.security.revocations import Revocations
from speech_translator.security.scopes import Principal
from speech_translator.settings import Settings

if TYPE_CHECKING:
    from speech_translator.security.accounts import Accounts
    from speech_translator.security.upkeep import Listener, UpkeepConfig
    from speech_translator.storage.usage import UsageStore


def database_breaker(registry: CircuitBreakerRegistry) -> CircuitBreaker:
    """The database's: open, it spares requests the wait for a database that does not answer."""
    return registry.get(
        "database",
        BreakerConfig(open_s=1.0),
        is_failure=lambda error: isinstance(error, StoreUnavailable),
    )


class AccountsDoor:
    """Opens accounts once, and closes them at the end.

    Args:
        settings: the configuration.
        revocations: between the replicas of the service; its owner closes it later.
        listener: told what the upkeep finds and does; nobody is by default.
        breaker: of the database; none by default.
    """

    def __init__(
        self,
        settings: Settings,
        revocations: Revocations,
        listener: Listener | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._breaker = breaker
        self._revocations = revocations
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._accounts: Accounts | None = None

    async def get(self) -> Accounts:
        """The accounts.

        Raises:
            ConfigurationError: the settings name no database or secret that can be used.
            StoreUnavailable: the database does not answer.
        """
        async with self._lock:
            if self._accounts is None:
                from speech_translator.security.accounts import (  # noqa: PLC0415 - see above
                    open_accounts,
                )
                from speech_translator.security.idempotency import (  # noqa: PLC0415 - see above
                    IdempotencyConfig,
                )
                from speech_translator.security.upkeep import ignore  # noqa: PLC0415 - see above

                peppers = await asyncio.to_thread(_peppers, self._settings)
                opened = open_accounts(
                    database_url(self._settings),
                    peppers,
                    revocations=self._revocations,
                    idempotency=IdempotencyConfig(max_bytes=self._settings.idempotency_max_bytes),
                    upkeep=_days(self._settings),
                    listener=self._listener or ignore,
                    guard=self._breaker.guard if self._breaker else None,
                )
                self._accounts = await self._stack.enter_async_context(opened)
            return self._accounts

    @property
    def opened(self) -> Accounts | None:
        """The accounts, if somebody has needed them."""
        return self._accounts

    async def close(self) -> None:
        """Close what was opened."""
        self._accounts = None
        await self._stack.aclose()

    async def usage(self) -> UsageStore:
        """What was used.

        Raises:
            StoreUnavailable: the database does not answer, or cannot be opened.
        """
        try:
            return (await self.get()).usage
        except ConfigurationError as error:
            raise StoreUnavailable("The database cannot be opened.") from error

    async def authenticate(self, credential: str) -> Principal:
        """Who holds a key or token; see ``Accounts.authenticate`` and ``get``."""
        return await (await self.get()).authenticate(credential)


def database_url(settings: Settings) -> str:
    """Where accounts are kept."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{settings.data_dir / 'speech-translator.db'}"


def _days(settings: Settings) -> UpkeepConfig:
    from speech_translator.security.upkeep import UpkeepConfig  # noqa: PLC0415 - see above

    return UpkeepConfig(
        key_max_age_days=settings.key_max_age_days,
        audit_days=settings.audit_retention_days,
        key_days=settings.key_retention_days,
        usage_days=settings.usage_retention_days,
    )


def _peppers(settings: Settings) -> list[bytes]:
    """The secret, and the one before it, as ``open_accounts`` takes them."""
    before = settings.old_secret_pepper
    old = [] if before is None else [before.get_secret_value().encode()]
    return [_pepper(settings), *old]


def _pepper(settings: Settings) -> bytes:
    if settings.secret_pepper is not None:
        return settings.secret_pepper.get_secret_value().encode()
    if settings.environment == "production":
        raise ConfigurationError(
            "Production needs SECRET_PEPPER, which keys are kept under. Make one, and keep it: "
            "python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    from speech_translator.security.peppers import kept_pepper  # noqa: PLC0415 - see above

    return kept_pepper(settings.data_dir / "pepper")
