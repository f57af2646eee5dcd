"""Every model: what it does, whose it is, what its licence allows, and whether it is here.

The cards are data. Whether a model is installed is answered from file names and sizes, and nothing
heavy is imported for it; ``verify`` reads the files and compares digests.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from speech_translator.engines import (
    apertium_modes,
    embedded_models,
    hub_models,
    kokoro,
    kokoro_voices,
    pulled,
    weights,
)
from speech_translator.engines.embedded_models import APERTIUM, VOICES
from speech_translator.engines.model_card import HubFile, HubSource, ModelCard
from speech_translator.engines.weights import WeightFile
from speech_translator.errors import ModelDamaged, ModelMissing, NotFound

__all__ = [
    "APERTIUM",
    "CARDS",
    "VOICES",
    "HubFile",
    "HubSource",
    "ModelCard",
    "as_installed",
    "card",
    "cards_of",
    "how_to_add",
    "installed",
    "verify",
]

CARDS = (*embedded_models.CARDS, *hub_models.CARDS)
"""All models: first those that need no hub."""

_BLOCK = 4 * 1024 * 1024


def installed(card: ModelCard, models_dir: Path) -> bool:
    """Whether an engine would find the model. Cheap: nothing is imported or hashed."""
    if card.hub is not None:
        return pulled.installed(card, models_dir)
    if card.id == APERTIUM.id:
        return apertium_modes.available()
    if card.id == VOICES.id:
        return bool(kokoro_voices.installed(_voices(models_dir)))
    if card.package is not None and find_spec(card.package) is None:
        return False
    return all(_file_is_there(card, file, models_dir) for file in card.files)


def verify(card: ModelCard, models_dir: Path) -> None:
    """Read all of the model's files and compare them with what they must be.

    Raises:
        ModelMissing: the model is not installed; the message has the command that adds it.
        ModelDamaged: a file is not what it must be; the message says how it is mended.
    """
    if not installed(card, models_dir):
        raise ModelMissing(f"{card.name} is not installed. Run: {card.install}")
    if card.hub is not None:
        pulled.verify(card, models_dir)
    if card.id == VOICES.id:
        _verify_voices(_voices(models_dir))
    for file in card.files:
        joined = models_dir / (card.directory or "") / file.name
        if card.directory is not None and joined.is_file():
            weights.verify(joined, file.sha256, file.size)
        elif _digest(_parts(file)) != file.sha256:
            raise ModelDamaged(
                f"The packages of {card.name} are damaged. Run: {weights.REINSTALL_COMMAND}"
            )


def card(model_id: str) -> ModelCard:
    """The card of a model.

    Raises:
        NotFound: the catalog has no such model; ``details["close_matches"]`` lists similar ones
            or, where there are none, ``details["models"]`` all.
    """
    for found in CARDS:
        if found.id == model_id:
            return found
    known = [found.id for found in CARDS]
    close = difflib.get_close_matches(model_id.lower(), known, n=3)
    if close:
        hint = f"Did you mean {' or '.join(close)}?"
        raise NotFound(f"There is no such model. {hint}", close_matches=close)
    raise NotFound("There is no such model.", models=known)


def how_to_add(source: str, target: str) -> str | None:
    """The one command that adds a translation between two languages; None where none is known.

    The catalog's order decides: what needs no hub, then models for one pair, then those for many
    languages, the smaller first; last what may not be used commercially.

    Args:
        source: ``Language.key`` of the text's language.
        target: of the language wanted.
    """
    translators = (found for found in CARDS if found.task == "translation")
    return next((found.install for found in translators if _covers(found, source, target)), None)


def _covers(card: ModelCard, source: str, target: str) -> bool:
    if card.pairs:
        return (source, target) in card.pairs
    return source != target and {source, target} <= set(card.languages)


def as_installed(card: ModelCard, models_dir: Path) -> ModelCard:
    """The card with what its pull recorded: commit, size and digest; the card as it is otherwise.

    A model that is not pinned has these only once it is pulled.
    """
    found = pulled.record(card, models_dir) if card.hub is not None else None
    if found is None:
        return card
    weights_of = {file.name: file.sha256 for file in found.files}
    return replace(
        card,
        revision=found.commit,
        size_bytes=sum(file.size for file in found.files),
        sha256=weights_of.get("model.bin", card.sha256),
    )


def cards_of(engine: str) -> tuple[ModelCard, ...]:
    """The models of an engine, possibly none."""
    return tuple(found for found in CARDS if found.engine == engine)


def _file_is_there(card: ModelCard, file: WeightFile, models_dir: Path) -> bool:
    if card.directory is not None:
        joined = models_dir / card.directory / file.name
        if weights.is_stamped(joined, file.sha256, file.size):
            return True
    try:
        return sum(part.stat().st_size for part in _parts(file)) == file.size
    except (ModelMissing, OSError):
        return False


def _parts(file: WeightFile) -> list[Path]:
    return [weights.package_file(package, path) for package, path in file.parts]


def _digest(paths: list[Path]) -> str:
    """SHA-256 of the files' contents, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _voices(models_dir: Path) -> Path:
    return models_dir / kokoro.NAME / "voices"


def _verify_voices(directory: Path) -> None:
    names = kokoro_voices.installed(directory)
    if len(names) < len(kokoro_voices.NAMES):
        missing = len(kokoro_voices.NAMES) - len(names)
        raise ModelMissing(f"{missing} of Kokoro's voices are missing. Run: {VOICES.install}")
    if (
        _digest([directory / f"{name}.bin" for name in sorted(names)])
        != kokoro_voices.VOICES_SHA256
    ):
        raise ModelDamaged(f"Kokoro's voices are damaged. Run: {VOICES.install} --force")
