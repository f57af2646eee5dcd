"""The whole service, with its broker, its engine processes and decoders, over engines of a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speech_translator import services
from speech_translator.api import app
from speech_translator.api.server import serve
from speech_translator.scalability.async_translator import AsyncTranslator
from speech_translator.security import rate_limiter
from speech_translator.security.limits import Rate
from speech_translator.settings import Settings
from tests.support.canary_engines import specs


class FragileTranslator(AsyncTranslator):
    """A door that breaks, as a fault of our own would, with the text in what it says."""

    async def translate(self, texts: Sequence[str], **rest: Any) -> Any:
        if any("BREAK" in text for text in texts):
            raise RuntimeError(*texts)
        return await super().translate(texts, **rest)


def main() -> None:
    """Serve."""
    services.AsyncTranslator = FragileTranslator
    # Every route is asked with keys that are none, from one address.
    rate_limiter.REFUSED = Rate("refused-minute", 10_000)
    services.engine_specs = app.engine_specs = specs
    serve(
        Settings(
            translators=("bergamot",),
            transcribers=("whisper",),
            synthesizers=("kokoro",),
            live_synthesizers=("kokoro",),
        )
    )


if __name__ == "__main__":
    main()
