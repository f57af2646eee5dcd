"""The files of a translation model in CTranslate2's form, as converters write them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speech_translator.engines.translation_families import Family, family_of
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing

_VOCABULARIES = ("shared_vocabulary", "source_vocabulary", "target_vocabulary")
_OPUS = ("source.spm", "target.spm")
_SHARED = ("sentencepiece.bpe.model", "sentencepiece.model", "spiece.model", "spm.model")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What lies beside the weights."""

    vocabulary: frozenset[str]
    """All tokens that the model has."""
    source: Path
    """sentencepiece's model for texts to translate."""
    target: Path
    """That for translations; often the same."""
    ends_sources: bool
    """Whether CTranslate2 adds the end of the sentence itself: so it is with models converted from
    Marian, and not with those converted from Transformers."""


def read(directory: Path, family: Family) -> ModelFiles:
    """The files of a model.

    Raises:
        ModelMissing: one of them is not there.
        ModelDamaged: one of them cannot be read.
    """
    names = _OPUS if family == "opus-mt" else _SHARED
    found = [directory / name for name in names if (directory / name).is_file()]
    if not (directory / "model.bin").is_file() or len(found) < (2 if family == "opus-mt" else 1):
        wanted = " and ".join(names) if family == "opus-mt" else " or ".join(names)
        raise ModelMissing(f"A model of the family {family} has model.bin and {wanted}.")
    return ModelFiles(
        vocabulary=frozenset(vocabulary(directory)),
        source=found[0],
        target=found[1] if family == "opus-mt" else found[0],
        ends_sources=bool(_config(directory).get("add_source_eos", False)),
    )


def vocabulary(directory: Path) -> Iterable[str]:
    """All tokens of a model.

    Raises:
        ModelMissing: there is no vocabulary.
        ModelDamaged: it cannot be read.
    """
    tokens: list[str] = []
    try:
        for name in _VOCABULARIES:
            if (path := directory / f"{name}.json").is_file():
                tokens += [str(token) for token in json.loads(path.read_bytes())]
            elif (path := directory / f"{name}.txt").is_file():
                # Not splitlines(): tokens may be other characters that end a line.
                tokens += path.read_text("utf-8").split("\n")
    except (OSError, ValueError, TypeError) as error:
        raise ModelDamaged("The vocabulary of a translation model cannot be read.") from error
    if not tokens:
        raise ModelMissing("A translation model in CTranslate2's form has a vocabulary beside it.")
    return tokens


def detect_family(directory: Path) -> Family:
    """Whose model lies in a directory: told by its tokenizers and by the tokens of its languages.

    Raises:
        ModelMissing, ModelDamaged: as ``vocabulary``.
        ConfigurationError: it is of none of the families.
    """
    if all((directory / name).is_file() for name in _OPUS):
        return "opus-mt"
    family = family_of(frozenset(vocabulary(directory)))
    if family is None:
        raise ConfigurationError(
            "A directory in CTRANSLATE2_MODELS holds no model of NLLB-200, M2M-100, MADLAD-400 or "
            "Opus-MT: its vocabulary names no languages in their way."
        )
    return family


def _config(directory: Path) -> dict[str, object]:
    try:
        content = json.loads((directory / "config.json").read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelDamaged("config.json of a translation model cannot be read.") from error
    return content if isinstance(content, dict) else {}
