"""The command line over scripted engines: its output, its files, its exit code."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from typer.testing import CliRunner, Result

from speech_translator.cli.app import app
from speech_translator.cli.surroundings import Surroundings
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.settings import load_settings
from tests.support.api import CHAINS, Broker, ScriptedDecoders, standard_engines
from tests.support.scripted_broker import ScriptedEngine


@dataclass
class CommandLine:
    """Runs commands. ``opened`` and ``started``: the tasks and the engines of each run."""

    engines: list[ScriptedEngine] = field(default_factory=standard_engines)
    decoders: ScriptedDecoders = field(default_factory=ScriptedDecoders)
    opened: list[tuple[Collection[str], bool]] = field(default_factory=list)
    started: list[list[str]] = field(default_factory=list)
    served: list[Any] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=lambda: dict(CHAINS))
    stdin: Any = None

    @asynccontextmanager
    async def _open(self, settings: Any, *, tasks: Any, decode: bool) -> AsyncIterator[Any]:
        self.opened.append((tasks, decode))
        wanted = (
            *settings.translators,
            *settings.transcribers,
            *settings.synthesizers,
            *settings.live_synthesizers,
            "silero",
        )
        broker = Broker(
            *(e for e in self.engines if e.info.task in tasks and e.info.name in wanted)
        )
        self.started.append(sorted(broker.engines))
        door = AsyncTranslator(broker, TranslatorConfig.from_settings(settings))
        yield SimpleNamespace(
            settings=settings, broker=broker, decoders=self.decoders, translator=door
        )

    def __call__(self, *arguments: object, stdin: bytes = b"") -> Result:
        surroundings = Surroundings(
            settings=lambda **given: load_settings(**{**self.settings, **given}),
            open_services=self._open,
            standard_input=lambda: self.stdin or io.BytesIO(stdin),
            serve=self.served.append,
        )
        return CliRunner().invoke(app, [str(a) for a in arguments], obj=surroundings)
