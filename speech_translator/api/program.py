"""The server as a program: settings from the environment, wrong ones told in a line."""

from __future__ import annotations

import sys

from speech_translator.api.server import serve
from speech_translator.engines import kokoro_voices_fetch
from speech_translator.errors import ConfigurationError
from speech_translator.settings import Settings, load_settings

WRONG_CONFIGURATION = 5
"""The command line's exit code for a configuration that cannot be served."""

_FETCH_TIMEOUT_S = 60


def start(settings: Settings) -> None:
    """Fetch the voices that are missing, and serve until stopped.

    Without the voices the service speaks with plainer ones, and says what to do.
    """
    if settings.fetch_voices and "kokoro" in settings.synthesizers:
        directory = ["--models-dir", str(settings.models_dir)]
        kokoro_voices_fetch.main([*directory, "--timeout", str(_FETCH_TIMEOUT_S)])
    serve(settings)


def main() -> int:
    """Serve until stopped; the exit code."""
    try:
        start(load_settings())
    except ConfigurationError as error:
        sys.stderr.write(f"{error.message}\n")
        return WRONG_CONFIGURATION
    return 0
