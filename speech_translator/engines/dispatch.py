"""From calls to an engine's methods: the one place that knows which method takes which call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from speech_translator.engines.base import (
    Engine,
    SpeechDetector,
    Synthesizer,
    Transcriber,
    Translator,
)
from speech_translator.engines.values import (
    Call,
    DetectSpeechCall,
    Result,
    SynthesizeCall,
    TranscribeCall,
    TranslateCall,
)


def run_batch(engine: Engine, calls: Sequence[Call]) -> Sequence[Result]:
    """Results of calls of one kind and one ``group()``, in order.

    Raises:
        TypeError: the engine has no method for this kind of call.
        ValueError: the engine broke its contract: not one result a call.
    """
    batch = cast("Any", calls)
    results: Sequence[Result]
    match calls[0]:
        case TranslateCall():
            results = cast("Translator", engine).translate(batch)
        case TranscribeCall():
            results = cast("Transcriber", engine).transcribe(batch)
        case SynthesizeCall():
            results = cast("Synthesizer", engine).synthesize(batch)
        case DetectSpeechCall():
            results = cast("SpeechDetector", engine).detect_speech(batch)
    if len(results) != len(calls):
        raise ValueError("the engine did not give one result for each call")
    return results
