"""What computes: contracts, one file an engine, the catalog, the registry and routing.

Every engine process imports this package, so it holds values and contracts only; settings, the
registry and each engine's libraries are imported where they are used.
"""

from speech_translator.engines.base import (
    Engine,
    SpeechDetector,
    Synthesizer,
    Transcriber,
    Translator,
)
from speech_translator.engines.values import EngineInfo, Priority, Voice

__all__ = [
    "Engine",
    "EngineInfo",
    "Priority",
    "SpeechDetector",
    "Synthesizer",
    "Transcriber",
    "Translator",
    "Voice",
]
