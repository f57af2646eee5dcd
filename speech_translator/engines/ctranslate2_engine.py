"""NLLB-200, M2M-100, MADLAD-400 and Opus-MT, run by CTranslate2.

One process serves several models; of those that have a pair, the first one translates it. A call
uses all the threads that the engine may have, so calls come one after the other, in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from speech_translator.engines import translation_files
from speech_translator.engines.ctranslate2_device import chosen_device
from speech_translator.engines.directions import Directions
from speech_translator.engines.translation_decoding import TranslationModel
from speech_translator.engines.translation_families import as_family, tokens_of
from speech_translator.engines.values import EngineInfo, TranslateCall
from speech_translator.errors import ConfigurationError, ModelDamaged, UnsupportedPair

NAME = "ctranslate2"

_BATCHES = {"cpu": 8, "cuda": 32}
"""Texts of one call. On two cores eight sentences take M2M-100 418M 1.7 s, and one alone 1.1 s.
For that long nothing more urgent can go before them."""

_BATCH_TOKENS = {"cpu": 1024, "cuda": 8192}


class CTranslate2Translator:
    """Translator over several models. Safe to call from several threads.

    Args:
        models: loaded models by id, the preferred first.
        batch: texts that one call gains from.
    """

    def __init__(self, models: Mapping[str, TranslationModel], batch: int) -> None:
        self._models = tuple(models.values())
        directions = Directions.joined(model.tokens.directions for model in self._models)
        self._info = EngineInfo(
            name=NAME,
            task="translation",
            concurrency=1,
            preferred_batch=batch,
            models=tuple(models),
            pairs=directions.pairs,
            groups=tuple(tuple(sorted(group)) for group in directions.groups),
            languages=tuple(sorted(directions.languages())),
        )

    def describe(self) -> EngineInfo:
        """All pairs of all models; one batch at a time."""
        return self._info

    def translate(self, calls: Sequence[TranslateCall]) -> list[str]:
        """One translation for each call, in order; calls of different pairs may come together.

        Raises:
            UnsupportedPair: no model has both languages.
        """
        answers = [""] * len(calls)
        groups: dict[int, list[int]] = {}
        for index, call in enumerate(calls):
            groups.setdefault(id(self._model(call)), []).append(index)
        for indexes in groups.values():
            chosen = [calls[index] for index in indexes]
            translations = self._model(chosen[0]).translate(chosen)
            for index, translation in zip(indexes, translations, strict=True):
                answers[index] = translation
        return answers

    def _model(self, call: TranslateCall) -> TranslationModel:
        pair = (call.source, call.target)
        model = next((model for model in self._models if pair in model.tokens.directions), None)
        if model is None:
            raise UnsupportedPair(
                f"No translation model here translates {call.source} into {call.target}."
            )
        return model


def load(options: Mapping[str, object]) -> CTranslate2Translator:
    """Load all models and translate a word with each.

    Args:
        options: ``models``, mappings with ``id``, ``family`` and ``directory``, in order of
            preference; ``threads`` of one call (1); ``device`` (``auto``, ``cpu``, ``cuda``);
            ``compute_type`` (``default``: int8 on CPU, float16 on CUDA).

    Raises:
        ModelMissing: files of a model are not there.
        ModelDamaged: files of a model cannot be read.
        ConfigurationError: the device or the compute type cannot be used on this machine, or the
            languages of a model are not known.
    """
    # Heavy, and wanted in this engine's process only.
    import ctranslate2  # noqa: PLC0415

    device, compute_type = chosen_device(ctranslate2, options, "CTRANSLATE2")
    threads = int(str(options.get("threads", 1)))
    models = {}
    for entry in _entries(options.get("models")):
        model = _open(ctranslate2, entry, device, compute_type, threads)
        source, target = next(iter(model.tokens.directions))
        model.translate([TranslateCall("OK.", source, target)])
        models[entry["id"]] = model
    return CTranslate2Translator(models, _BATCHES[device])


def _open(
    ctranslate2: Any, entry: Mapping[str, str], device: str, compute_type: str, threads: int
) -> TranslationModel:
    import sentencepiece  # noqa: PLC0415 - as above

    directory, name = Path(entry["directory"]), entry["id"]
    try:
        family = as_family(entry["family"])
        files = translation_files.read(directory, family)
        tokens = tokens_of(family, name, files.vocabulary)
    except ValueError as error:
        raise ConfigurationError(
            f"The languages of the model {name} are not known. The directory of an Opus-MT model "
            "is named after them: opus-mt-en-fr, opus-mt-de+nl-en, opus-mt-en-ROMANCE."
        ) from error
    try:
        translator = ctranslate2.Translator(
            str(directory),
            device=device,
            compute_type=compute_type,
            inter_threads=1,
            intra_threads=threads,
        )
        source = sentencepiece.SentencePieceProcessor(model_file=str(files.source))
        target = sentencepiece.SentencePieceProcessor(model_file=str(files.target))
    except (RuntimeError, OSError, ValueError) as error:
        if "CUDA" in str(error):
            raise ConfigurationError(
                f"The GPU cannot run {name}: it is in use, or too small for the model. Set "
                "CTRANSLATE2_DEVICE=cpu, or fewer CTRANSLATE2_MODELS."
            ) from error
        raise ModelDamaged(
            f"The files of the model {name} cannot be read. What was pulled is mended by: "
            f"speech-translator models pull {name}"
        ) from error
    return TranslationModel(
        translator,
        source,
        target,
        tokens,
        ends_sources=files.ends_sources,
        batch_tokens=_BATCH_TOKENS[device],
    )


def _entries(models: object) -> Iterable[Mapping[str, str]]:
    found = models if isinstance(models, list | tuple) else ()
    if not found:
        raise ConfigurationError("The engine ctranslate2 was given no models.")
    return found
