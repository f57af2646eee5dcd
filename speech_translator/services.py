"""Everything that runs behind the API and the command line, opened and closed together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from speech_translator.engines.registry import engine_specs
from speech_translator.engines.values import Task
from speech_translator.media import DecoderConfig, DecoderPool
from speech_translator.reliability import CircuitBreakerRegistry
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.scalability.broker import Broker
from speech_translator.scalability.engine_guards import engine_guards
from speech_translator.scalability.events import BrokerEvent
from speech_translator.settings import Settings


def _ignore(_event: BrokerEvent) -> None:
    """The listener for those who do not listen."""


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts. Engines may still be loading; ``broker.wait_ready`` waits for them."""

    settings: Settings
    broker: Broker
    decoders: DecoderPool
    translator: AsyncTranslator
    breakers: CircuitBreakerRegistry = field(default_factory=CircuitBreakerRegistry)


@asynccontextmanager
async def open_services(
    settings: Settings,
    *,
    tasks: Collection[Task] | None = None,
    decode: bool = True,
    listener: Callable[[BrokerEvent], None] = _ignore,
    stop_grace_s: Callable[[], float] = lambda: 5.0,
    breakers: CircuitBreakerRegistry | None = None,
) -> AsyncIterator[Services]:
    """Start engine processes and decoders; stop them in reverse order at the end.

    Args:
        settings: the configuration.
        tasks: start only engines for these tasks; all by default.
        decode: whether uploads will be decoded.
        listener: told every event of the broker.
        breakers: where those of the engines are to be kept.
        stop_grace_s: asked at the end how long calls under way may still take, in seconds.

    Raises:
        ConfigurationError: the settings name something that does not exist.
    """
    breakers = breakers or CircuitBreakerRegistry()
    specs = engine_specs(settings, tasks)
    broker = Broker(specs, listener=listener, breakers=breakers)
    decoders = DecoderPool(
        DecoderConfig(
            processes=settings.decoder_processes,
            memory_mb=settings.decoder_memory_mb,
            timeout_s=settings.decode_timeout_s,
            max_streams=settings.live_max_sessions,
            spool_dir=settings.spool_dir,
        )
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lambda: broker.stop(stop_grace_s()))
        await broker.start()
        if decode:
            stack.push_async_callback(decoders.stop)
            await decoders.start()
        translator = AsyncTranslator(
            broker,
            TranslatorConfig.from_settings(settings),
            guards=engine_guards(specs, breakers, listener),
        )
        yield Services(settings, broker, decoders, translator, breakers)
