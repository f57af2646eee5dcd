"""The real server, broker and engine processes, over an engine that does as its texts say.

``ENGINE_OPTIONS`` are the engine's, as JSON; see ``engines.EchoTranslator``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection

from speech_translator import services
from speech_translator.api import app
from speech_translator.api.server import serve
from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Task
from speech_translator.settings import Settings

ENGINE = "echo"


def specs(settings: Settings, tasks: Collection[Task] | None = None) -> list[EngineSpec]:
    """One translator."""
    options = json.loads(os.environ.get("ENGINE_OPTIONS", "{}"))
    spec = EngineSpec(
        name=ENGINE,
        task="translation",
        factory="tests.support.engines:load",
        options=options,
        call_timeout_s=settings.engine_call_timeout_s,
        queue_limit=settings.engine_queue_limit,
        memory_growth_mb=settings.engine_memory_growth_mb,
    )
    return [spec] if tasks is None or spec.task in tasks else []


def main() -> None:
    """Serve."""
    services.engine_specs = app.engine_specs = specs
    serve(
        Settings(translators=(ENGINE,), transcribers=(), synthesizers=(), live_synthesizers=()),
    )


if __name__ == "__main__":
    main()
