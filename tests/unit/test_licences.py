"""What may not be used commercially does not start in production."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from speech_translator.engines import catalog
from speech_translator.engines.licences import check_licences, selected
from speech_translator.engines.pulled import RECORD, Pulled
from speech_translator.engines.registry import engine_specs
from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import ConfigurationError
from speech_translator.settings import Settings

NLLB = "nllb-200-distilled-600m"
PRODUCTION: dict[str, Any] = {"environment": "production"}


def spec(**options: object) -> EngineSpec:
    """As the registry makes one, with these options."""
    first = engine_specs(Settings(), ["translation"])[0]
    return replace(first, name="ctranslate2", options=options)


def models(*ids: str) -> list[dict[str, str]]:
    return [{"id": name, "family": "nllb", "directory": f"/nowhere/{name}"} for name in ids]


def test_a_model_that_forbids_commercial_use_is_refused_in_production() -> None:
    chosen = spec(models=models("m2m100-418m", NLLB))
    with pytest.raises(
        ConfigurationError, match=rf"{NLLB}.*CC-BY-NC-4.0.*CTRANSLATE2_MODELS.*ACCEPT_"
    ):
        check_licences([chosen], Settings(**PRODUCTION))
    check_licences([chosen], Settings())
    check_licences([chosen], Settings(**PRODUCTION, accept_non_commercial=True))
    check_licences([spec(models=models("m2m100-418m"))], Settings(**PRODUCTION))


def test_another_name_for_the_directory_does_not_help(tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(Pulled(NLLB, "owner/name", "0" * 40, ()).encode())
    for options in (
        {"models": [{"id": "mine", "family": "nllb", "directory": str(tmp_path)}]},
        {"model": str(tmp_path)},
    ):
        with pytest.raises(ConfigurationError, match="NLLB-200"):
            check_licences([spec(**options)], Settings(**PRODUCTION))


def test_the_models_of_packages_and_those_that_are_named_are_selected() -> None:
    (whisper,) = engine_specs(Settings(whisper_model="whisper-small"), ["recognition"])
    assert [card.id for card in selected(whisper)] == ["whisper-base", "whisper-small"]
    assert selected(spec(model="base")) == []
    assert catalog.card(NLLB) in selected(spec(models=models(NLLB)))


def test_the_registry_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        catalog,
        "CARDS",
        tuple(
            card if card.id != "hibari-heart" else dataclasses.replace(card, commercial_use=False)
            for card in catalog.CARDS
        ),
    )
    with pytest.raises(ConfigurationError, match="hibari-heart"):
        engine_specs(Settings(**PRODUCTION))
    engine_specs(Settings())
