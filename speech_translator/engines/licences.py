"""Refuses models that may not be used commercially, where the service runs in production.

Fails closed for every model that the catalog knows, under whatever path it was named: a directory
that was pulled says in its record what it is. What else an operator names by its directory is the
operator's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from speech_translator.engines import catalog, pulled
from speech_translator.engines.catalog import ModelCard
from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import ConfigurationError
from speech_translator.settings import Settings


def check_licences(specs: Iterable[EngineSpec], settings: Settings) -> None:
    """Let engines start whose models may be used here.

    Raises:
        ConfigurationError: the environment is production, ``accept_non_commercial`` is off, and
            a model's licence does not allow commercial use.
    """
    if settings.environment != "production" or settings.accept_non_commercial:
        return
    for card in (card for spec in specs for card in selected(spec)):
        if not card.commercial_use:
            raise ConfigurationError(
                f"{card.name} ({card.id}) is licensed under {card.licence}, which does not allow "
                f"commercial use, and ENVIRONMENT is production. {_otherwise(card)}, or set "
                "ACCEPT_NON_COMMERCIAL=true where the use is not commercial."
            )


def _otherwise(card: ModelCard) -> str:
    """How to go on without a model; those for translation are taken although nobody named them."""
    if card.engine == "ctranslate2":
        return "Name the models to serve in CTRANSLATE2_MODELS, or remove this one"
    return "Choose another model"


def selected(spec: EngineSpec) -> list[ModelCard]:
    """Cards of the models that an engine is told to load."""
    known = {card.id: card for card in catalog.CARDS}
    named = [known[name] for name in _names(spec.options) if name in known]
    return [*(card for card in catalog.cards_of(spec.name) if card.hub is None), *named]


def _names(options: Mapping[str, object]) -> Iterator[str]:
    """Ids, also by the records of directories: ``model`` or ``id`` for one, else ``models``."""
    models = options.get("models")
    several = models if isinstance(models, list | tuple) else ()
    for model in (options.get("model"), options.get("id"), *several):
        values = model.values() if isinstance(model, Mapping) else (model,)
        for value in values:
            if isinstance(value, str) and value:
                yield value
                found = pulled.read(Path(value))
                if found is not None:
                    yield found.id
