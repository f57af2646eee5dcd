"""The application over scripted engines, and a client that opens no socket."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import structlog

from speech_translator.api.accounts import AccountsDoor
from speech_translator.api.app import create_app
from speech_translator.engines.values import SAMPLE_RATE, EngineInfo
from speech_translator.errors import StoreUnavailable
from speech_translator.observability.logging import _json_line, _safe_exception
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.security.audit_trail import Actor
from speech_translator.security.revocations import NoRevocations
from speech_translator.security.tiers import TierName
from speech_translator.settings import Settings
from tests.support.scripted_broker import (
    ScriptedBroker,
    ScriptedEngine,
    detector,
    recogniser,
    speaker,
    translator,
)

CHAINS = {
    "translators": ("bergamot",),
    "transcribers": ("whisper",),
    "synthesizers": ("kokoro", "espeak"),
    "live_synthesizers": ("kokoro", "espeak"),
}


@dataclass
class ScriptedDecoders:
    """Takes every upload for ``seconds`` of sound, unless a test puts another ``answer`` here."""

    seconds: float = 2.0
    answer: Callable[[bytes], Any] | None = None
    seen: list[bytes] = field(default_factory=list)
    nursery_pid: int | None = 1
    decoders_lost: int = 0

    async def decode(self, source: Any, *, max_seconds: float, deadline: object) -> Any:
        data = source.read()
        self.seen.append(data)
        await asyncio.sleep(0)
        if self.answer is not None:
            return self.answer(data)
        samples = np.full(int(self.seconds * SAMPLE_RATE), 0.5, np.float32)
        return SimpleNamespace(
            samples=samples,
            duration=self.seconds,
            format="wav",
            codec="pcm_s16le",
            sample_rate=44_100,
            channels=2,
            truncated=False,
        )


@dataclass(frozen=True)
class Status:
    """What the broker says of an engine."""

    state: str
    info: EngineInfo | None
    message: str = ""
    queued: int = 0
    in_flight: int = 0
    restarts: int = 0
    pids: tuple[int, ...] = ()


class Broker(ScriptedBroker):
    """Scripted engines, with all that the broker's status holds."""

    def status(self) -> Mapping[str, Any]:
        return {name: Status(found.state, found.info) for name, found in super().status().items()}


@dataclass
class Harness:
    """The running application and the parts behind it."""

    client: httpx.AsyncClient
    broker: Broker
    decoders: ScriptedDecoders
    app: Any
    log: io.StringIO

    def lines(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def engine(self, name: str) -> ScriptedEngine:
        return self.broker.engines[name]


async def administrators_key(**changes: Any) -> str:
    """A valid key of an administrator in the database of these settings, made as its operator does.

    Production does not start without one.
    """
    settings = Settings(**{**CHAINS, **changes})
    door = AccountsDoor(settings, NoRevocations())
    try:
        accounts = await door.get()
        text, _ = await accounts.create_key("root", TierName.ADMIN, Actor("cli:test", "", ""))
    finally:
        await door.close()
    return text


def lose_database(state: Any) -> None:
    """From now on it takes no transaction that may write."""

    @asynccontextmanager
    async def away() -> AsyncIterator[None]:
        raise StoreUnavailable("The database does not answer.")
        yield

    state.accounts.opened._database.write = away


def standard_engines() -> list[ScriptedEngine]:
    """One of each task, as the embedded models are: en and pt both ways, speech to English."""
    return [
        translator("bergamot", "en-pt", "pt-en"),
        recogniser("en", *["Hello there."] * 50),
        detector(),
        speaker("kokoro", "en", "pt"),
        speaker("espeak", "en", "pt", "fr"),
    ]


@asynccontextmanager
async def running(*engines: ScriptedEngine, **changes: Any) -> AsyncIterator[Harness]:
    """The application with its lifespan begun."""
    kept = Path(tempfile.mkdtemp())
    fixed = {"anonymous_tier": "admin", "data_dir": kept, "health_engine_idle_s": 0}
    settings = Settings(**{**CHAINS, **fixed, **changes})
    broker = Broker(*(engines or standard_engines()))
    decoders = ScriptedDecoders()
    door = AsyncTranslator(broker, TranslatorConfig.from_settings(settings))
    services = SimpleNamespace(
        settings=settings,
        broker=broker,
        decoders=decoders,
        translator=door,
        breakers=CircuitBreakerRegistry(),
    )
    app = create_app(settings, services)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    log = io.StringIO()
    structlog.configure(
        processors=[_safe_exception, _json_line], logger_factory=structlog.WriteLoggerFactory(log)
    )
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client,
        ):
            yield Harness(client, broker, decoders, app, log)
    finally:
        structlog.reset_defaults()
        shutil.rmtree(kept, ignore_errors=True)
