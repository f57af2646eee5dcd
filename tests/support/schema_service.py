"""The service that a fuzzer is let loose on: scripted engines, and no limit that would stop it.

How many requests are let through is proved elsewhere; here a 429 would hide what stands behind it.
"""

from __future__ import annotations

from types import SimpleNamespace

from speech_translator.api.app import create_app
from speech_translator.api.server import serve
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.security import rate_limiter
from speech_translator.security.limits import Rate
from speech_translator.settings import Settings
from tests.support.api import CHAINS, Broker, ScriptedDecoders, standard_engines
from tests.support.scripted_broker import recogniser

WIDE = 1_000_000


def main() -> None:
    """Serve."""
    rate_limiter.ACCOUNT = Rate("account-minute", WIDE)
    rate_limiter.REFUSED = Rate("refused-minute", WIDE)
    settings = Settings(**CHAINS)
    listener = recogniser("en", *["Hello there."] * 50_000)  # it says each of them once
    others = [engine for engine in standard_engines() if engine.info.name != listener.info.name]
    broker = Broker(listener, *others)
    services = SimpleNamespace(
        settings=settings,
        broker=broker,
        decoders=ScriptedDecoders(),
        translator=AsyncTranslator(broker, TranslatorConfig.from_settings(settings)),
        breakers=CircuitBreakerRegistry(),
    )
    serve(settings, create_app(settings, services))


if __name__ == "__main__":
    main()
