"""The real server over scripted engines: a process that is ready at once.

A text that is ``slow`` takes a minute, and so does speech in German; a ``short`` one takes three
seconds. It is said on standard output when one is given up. The voices of espeak have eight times
the samples of others, so that they fill the socket of a client that does not read.
"""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

from speech_translator.api.app import create_app
from speech_translator.api.server import serve
from speech_translator.engines.values import Call, Result, TranscribeCall, TranslateCall
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.settings import Settings
from tests.support.api import CHAINS, Broker, ScriptedDecoders, standard_engines
from tests.support.scripted_broker import speaker


class SlowBroker(Broker):
    """Engines of which one can be slow."""

    async def submit(self, engine: str, call: Call, *, deadline: Deadline, **rest: Any) -> Result:
        seconds = 0
        if isinstance(call, TranslateCall):
            seconds = {"slow": 60, "short": 3}.get(call.text, 0)
        elif isinstance(call, TranscribeCall) and call.language == "de":
            seconds = 60
        if seconds:
            work = Deadline.after(seconds)
            try:
                while not work.expired():
                    await asyncio.sleep(0.02)
                    deadline.check()
            except asyncio.CancelledError:
                sys.stdout.write("given up\n")
                sys.stdout.flush()
                raise
        return await super().submit(engine, call, deadline=deadline, **rest)


def main() -> None:
    """Serve."""
    settings = Settings(**CHAINS)
    espeak = speaker("espeak", "en", "pt", "fr", rate=192_000)
    others = [each for each in standard_engines() if each.info.name != espeak.info.name]
    broker = SlowBroker(espeak, *others)
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
