"""Which translation models the settings choose, and where they lie."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from speech_translator.engines import catalog, pulled
from speech_translator.engines.model_card import ModelCard
from speech_translator.engines.translation_families import FAMILIES
from speech_translator.engines.translation_files import detect_family
from speech_translator.errors import ConfigurationError, ModelDamaged, ModelMissing
from speech_translator.settings import Settings


def chosen_models(settings: Settings) -> list[dict[str, str]]:
    """``id``, ``family`` and ``directory`` of each model, the preferred first.

    Those that ``ctranslate2_models`` names; where it names none, all that are installed, in the
    catalog's order: models for one pair first.

    Raises:
        ConfigurationError: a named model is not in the catalog and no directory, is not installed,
            or is not a model that the engine can run; or two have one name.
    """
    if not settings.ctranslate2_models:
        return [
            _of_card(card, settings.models_dir)
            for card in _cards()
            if catalog.installed(card, settings.models_dir)
        ]
    found = [_named(name, settings.models_dir) for name in settings.ctranslate2_models]
    names = Counter(model["id"] for model in found)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise ConfigurationError(f"CTRANSLATE2_MODELS names {', '.join(twice)} more than once.")
    return found


def _cards() -> list[ModelCard]:
    return [card for card in catalog.CARDS if card.family in FAMILIES]


def _of_card(card: ModelCard, models_dir: Path) -> dict[str, str]:
    directory = pulled.directory(card, models_dir)
    return {"id": card.id, "family": str(card.family), "directory": str(directory)}


def _named(name: str, models_dir: Path) -> dict[str, str]:
    card = next((card for card in _cards() if card.id == name), None)
    if card is None:
        return _own(name)
    if not catalog.installed(card, models_dir):
        raise ConfigurationError(
            f"CTRANSLATE2_MODELS names {card.id}, which is not installed. Run: "
            f"{pulled.command(card)}"
        )
    return _of_card(card, models_dir)


def _own(name: str) -> dict[str, str]:
    """A directory, under the id that its pull recorded or under its own name."""
    directory = Path(name).expanduser().resolve()
    if not directory.is_dir():
        known = ", ".join(card.id for card in _cards())
        raise ConfigurationError(
            f"CTRANSLATE2_MODELS names {name!r}, which is no directory. Models of the catalog: "
            f"{known}."
        )
    try:
        family = detect_family(directory)
    except (ModelMissing, ModelDamaged) as error:
        raise ConfigurationError(
            f"CTRANSLATE2_MODELS names {name!r}, which holds no model: {error.message}"
        ) from error
    record = pulled.read(directory)
    identity = directory.name if record is None else record.id
    return {"id": identity, "family": family, "directory": str(directory)}
