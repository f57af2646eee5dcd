"""The whole service over one translator whose process obeys marks in a text: it crashes, hangs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speech_translator import services
from speech_translator.api import app
from speech_translator.api.server import serve
from speech_translator.engines.spec import EngineSpec
from speech_translator.settings import Settings

ROOT = Path(__file__).parents[2]


def specs(settings: Settings, *_: Any, **__: Any) -> list[EngineSpec]:
    """The engine ``bergamot`` in name."""
    return [
        EngineSpec(
            name="bergamot",
            task="translation",
            factory="tests.support.engines:load",
            options={"name": "bergamot", "concurrency": 2, "batch": 4, "seconds": 0.005},
            environment={"PYTHONPATH": str(ROOT)},
            call_timeout_s=settings.engine_call_timeout_s,
            memory_limit_mb=settings.engine_memory_limit_mb,
        )
    ]


def main() -> None:
    """Serve."""
    services.engine_specs = app.engine_specs = specs
    serve(
        Settings(translators=("bergamot",), transcribers=(), synthesizers=(), live_synthesizers=())
    )


if __name__ == "__main__":
    main()
