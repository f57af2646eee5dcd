"""``python -m speech_translator.api``: the server as a program, as ``speech-translator serve``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from speech_translator.api.server import serve
from speech_translator.settings import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve; ``--host`` and ``--port`` stand above the settings of the same name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = vars(parser.parse_args(arguments))
    serve(Settings(**{name: value for name, value in options.items() if value is not None}))


if __name__ == "__main__":
    main()
