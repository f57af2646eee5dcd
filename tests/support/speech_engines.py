"""Real speech engines for tests: their options, with the weights where the product keeps them."""

from __future__ import annotations

from functools import cache

import pytest

from speech_translator.engines import kokoro_voices, kokoro_voices_fetch
from speech_translator.settings import Settings


@cache
def _voices_are_there() -> bool:
    """Whether Kokoro's voices are there, after one try to fetch them as ``make run`` does."""
    directory = Settings().models_dir / "kokoro" / "voices"
    if not kokoro_voices.installed(directory):
        kokoro_voices_fetch.main([])
    return bool(kokoro_voices.installed(directory))


def engine_options(engine: str) -> dict[str, object]:
    """What the registry would hand to ``load``; fails the test where the voices cannot be had."""
    if engine == "kokoro" and not _voices_are_there():
        pytest.fail(f"Kokoro's voices cannot be fetched here: {kokoro_voices.COMMAND}")
    settings = Settings()
    return {
        "models_dir": str(settings.models_dir),
        "threads": settings.engine_threads,
        "model": settings.whisper_model,
        "compute_type": settings.whisper_compute_type,
    }
