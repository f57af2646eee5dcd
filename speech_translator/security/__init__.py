"""Who may ask, and how much of it: usable on its own in any ASGI application.

``docs/INTEGRATION_GUIDE.md`` puts it into one, part by part. Names are loaded when they are first
used, because accounts bring a database's libraries, which not everybody needs; what else there is
stands in the modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speech_translator.security.accounts import open_accounts
    from speech_translator.security.answer_headers import AnswerHeaders
    from speech_translator.security.guard import Caller, Guard
    from speech_translator.security.limit_store import MemoryLimitStore
    from speech_translator.security.metering import open_metering
    from speech_translator.security.rate_limiter import RateLimiter
    from speech_translator.security.scopes import Scope
    from speech_translator.security.security_headers import SecurityHeaders
    from speech_translator.security.tiers import load_tiers

__all__ = [
    "AnswerHeaders",
    "Caller",
    "Guard",
    "MemoryLimitStore",
    "RateLimiter",
    "Scope",
    "SecurityHeaders",
    "load_tiers",
    "open_accounts",
    "open_metering",
]

_MODULES = {
    "AnswerHeaders": "answer_headers",
    "Caller": "guard",
    "Guard": "guard",
    "MemoryLimitStore": "limit_store",
    "RateLimiter": "rate_limiter",
    "Scope": "scopes",
    "SecurityHeaders": "security_headers",
    "load_tiers": "tiers",
    "open_accounts": "accounts",
    "open_metering": "metering",
}


def __getattr__(name: str) -> object:
    """A public name, from the module that has it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
