"""Translation models from the hub to the answer. The models are tiny, everything else is real."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import sentencepiece

from speech_translator.engines import catalog, hub, pulled
from speech_translator.engines.ctranslate2_engine import load
from speech_translator.engines.hub_transfer import RETRIES
from speech_translator.engines.registry import engine_specs
from speech_translator.engines.translation_families import FAMILIES, Family, tokens_of
from speech_translator.engines.translation_files import vocabulary
from speech_translator.engines.values import TranslateCall
from speech_translator.errors import (
    ConfigurationError,
    ModelDamaged,
    ModelMissing,
    UnsupportedPair,
)
from speech_translator.languages import Language
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext
from speech_translator.services import open_services
from speech_translator.settings import Settings
from tests.support.hub_server import Hub, hub_server
from tests.support.tiny_models import tiny_entry, tiny_model

OPUS = "opus-mt-en-de"
PINNED = "m2m100-418m"


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub_server() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return of(tmp_path)


def of(tmp_path: Path, **chosen: Any) -> Settings:
    return Settings(cache_dir=tmp_path / "cache", translators=("ctranslate2",), **chosen)


def publish(server: Hub, model_id: str, family: Family, tmp_path: Path) -> None:
    """Put a tiny model where the hub has the real one."""
    source = catalog.card(model_id).hub
    assert source is not None
    name = source.repository
    commit = server.add(name, tiny_model(family, tmp_path / "hub" / model_id))
    found = server.repositories[name]
    server.repositories[name] = replace(found, commit=source.revision or commit)


def pull(server: Hub, model_id: str, settings: Settings) -> None:
    hub.pull(
        catalog.card(model_id),
        settings.models_dir,
        endpoint=server.url,
        sleep=lambda _seconds: None,
    )


def translate(model: dict[str, str], text: str, target: str = "fr") -> str:
    (translation,) = load({"models": [model]}).translate([TranslateCall(text, "en", target)])
    return translation


async def test_a_pulled_model_is_loaded_and_answers(
    server: Hub, settings: Settings, tmp_path: Path
) -> None:
    publish(server, OPUS, "opus-mt", tmp_path)
    pull(server, OPUS, settings)
    async with open_services(settings, tasks=["translation"], decode=False) as services:
        await services.broker.wait_ready("ctranslate2")
        answers = await services.translator.translate(
            ["Hello world. I have 7 books.", "Where is the station?"],
            source=Language.parse("en"),
            target=Language.parse("de"),
            context=RequestContext(Deadline.after(60)),
        )
        info = services.broker.status()["ctranslate2"].info
    assert [answer.text for answer in answers] == [
        "Hello world. I have 7 books.",
        "Where is the station?",
    ]
    assert {answer.route for answer in answers} == {("ctranslate2:en-de",)}
    assert info is not None
    assert (info.models, info.pairs) == ((OPUS,), (("en", "de"),))


def test_all_that_is_pulled_is_taken_or_what_is_named(
    server: Hub, settings: Settings, tmp_path: Path
) -> None:
    for model_id in (OPUS, "opus-mt-de-en"):
        publish(server, model_id, "opus-mt", tmp_path)
        pull(server, model_id, settings)
    own = tiny_model("nllb", tmp_path / "mine")
    assert chosen(settings) == ["opus-mt-de-en", OPUS]
    assert chosen(of(tmp_path, ctranslate2_models=(str(own), OPUS))) == ["mine", OPUS]
    copied = tmp_path / "copy"
    shutil.copytree(settings.models_dir / OPUS, copied)
    assert chosen(of(tmp_path, ctranslate2_models=(str(copied),))) == [OPUS]
    with pytest.raises(ConfigurationError, match="more than once"):
        chosen(of(tmp_path, ctranslate2_models=(str(copied), OPUS)))


def chosen(settings: Settings) -> list[str]:
    """Ids of the models that the engine is told to load."""
    (spec,) = engine_specs(settings, ["translation"])
    models = spec.options["models"]
    assert isinstance(models, list)
    return [model["id"] for model in models]


def test_half_a_model_is_none(server: Hub, settings: Settings, tmp_path: Path) -> None:
    publish(server, OPUS, "opus-mt", tmp_path)
    server.cut("model.bin", after=5_000)
    for _ in range(RETRIES + 1):
        server.cut("model.bin", after=0)
    with pytest.raises(ModelMissing):
        pull(server, OPUS, settings)
    refused(settings, OPUS, tmp_path)
    pull(server, OPUS, settings)
    assert chosen(settings) == [OPUS]


def test_other_weights_than_the_catalog_s_are_not_loaded(
    server: Hub, settings: Settings, tmp_path: Path
) -> None:
    publish(server, PINNED, "m2m100", tmp_path)
    with pytest.raises(ModelDamaged):
        pull(server, PINNED, settings)
    refused(settings, PINNED, tmp_path)


def refused(settings: Settings, model_id: str, tmp_path: Path) -> None:
    assert engine_specs(settings, ["translation"]) == []
    with pytest.raises(ConfigurationError, match=f"speech-translator models pull {model_id}"):
        engine_specs(of(tmp_path, ctranslate2_models=(model_id,)), ["translation"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_directory_says_whose_model_it_holds(family: Family, tmp_path: Path) -> None:
    entry = tiny_entry(family, tmp_path)
    (spec,) = engine_specs(of(tmp_path, ctranslate2_models=(entry["directory"],)), ["translation"])
    assert spec.options["models"] == [entry]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared_vocabulary.json").write_text('["one", "two"]')
    for name, reason in (
        ("nllb", "no directory.*nllb-200-distilled-600m"),
        (str(tmp_path), "names no languages"),
        (str(Path(__file__).parent), "has a vocabulary"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            engine_specs(of(tmp_path, ctranslate2_models=(name,)), ["translation"])


def test_a_licence_holds_under_any_name_of_the_directory(tmp_path: Path) -> None:
    entry = tiny_entry("nllb", tmp_path)
    record = pulled.Pulled("nllb-200-distilled-600m", "owner/name", "0" * 40, ())
    (Path(entry["directory"]) / pulled.RECORD).write_text(record.encode())
    chosen = {"ctranslate2_models": (entry["directory"],), "environment": "production"}
    with pytest.raises(ConfigurationError, match=r"nllb-200-distilled-600m.*CC-BY-NC"):
        engine_specs(of(tmp_path, **chosen), ["translation"])
    assert engine_specs(of(tmp_path, **chosen, accept_non_commercial=True), ["translation"])


def test_the_first_model_that_has_a_pair_translates_it(tmp_path: Path) -> None:
    opus = tiny_entry("opus-mt", tmp_path)
    stuck = {
        "id": "nllb",
        "family": "nllb",
        "directory": str(tiny_model("nllb", tmp_path / "stuck", times=0)),
    }
    calls = [
        TranslateCall("Hello world.", source, target)
        for source, target in (("en", "zh"), ("en", "fr"), ("fr", "en"))
    ]
    engine = load({"models": [opus, stuck]})
    assert engine.translate(calls) == ["Hello", "Hello world.", "Hello"]
    assert engine.describe().models == (opus["id"], "nllb")
    assert load({"models": [stuck, opus]}).translate(calls) == ["Hello"] * 3
    with pytest.raises(UnsupportedPair):
        engine.translate([*calls, TranslateCall("Hello", "en", "de")])


@pytest.mark.parametrize("family", FAMILIES)
def test_long_sentences_keep_all_their_words(family: Family, tmp_path: Path) -> None:
    words = " ".join(["Hello world and books"] * 18)
    # 380 characters stay one sentence, and are some 300 pieces where most letters stand alone.
    letters = " ".join("abdeghiklnorstw" * 12)
    for text in (words, letters):
        assert translate(tiny_entry(family, tmp_path), text) == text


def opus(tmp_path: Path, times: int) -> dict[str, str]:
    name = "opus-mt-en-fr"
    directory = tiny_model("opus-mt", tmp_path / name, times=times)
    return {"id": name, "family": "opus-mt", "directory": str(directory)}


def test_a_translation_much_longer_than_its_text_is_whole(tmp_path: Path) -> None:
    letters = " ".join("abdeghiklnorstwDEGHILN0123456789")  # 48 pieces
    translation = translate(opus(tmp_path, times=3), f"{letters}.")
    assert translation.endswith("9 9 9...")


def test_a_loop_that_ends_is_mended(tmp_path: Path) -> None:
    translation = translate(opus(tmp_path, times=6), "Hello books")
    assert translation.startswith("Hello")
    assert "Hello Hello Hello Hello" not in translation


def test_a_model_for_several_targets_is_told_which(tmp_path: Path) -> None:
    name = "opus-mt-en-ROMANCE"
    directory = tiny_model("opus-mt", tmp_path / name, tokens=(">>fra<<", ">>por<<"))
    entry = {"id": name, "family": "opus-mt", "directory": str(directory)}
    engine = load({"models": [entry]})
    assert set(engine.describe().pairs) == {("en", "fr"), ("en", "pt")}
    assert engine.translate([TranslateCall("Hello world.", "en", "pt")]) == ["Hello world."]


def test_the_end_of_a_sentence_is_added_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Recording(ctranslate2.Translator):  # type: ignore[misc]  # it has no types
        def translate_batch(self, source: list[list[str]], *others: Any, **options: Any) -> Any:
            read[:] = source[0]
            return super().translate_batch(source, *others, **options)

    monkeypatch.setattr(ctranslate2, "Translator", Recording)
    entry = tiny_entry("opus-mt", tmp_path)
    assert translate(entry, "Hello world.") == "Hello world."
    assert read.count("</s>") == 1
    # So it is with models that were converted from Marian: CTranslate2 adds it.
    config = Path(entry["directory"]) / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_bytes()), "add_source_eos": True}))
    assert translate(entry, "Hello world.") == "Hello world."
    assert read.count("</s>") == 0


def test_madlad_reads_what_sentencepiece_makes_of_a_named_language(tmp_path: Path) -> None:
    directory = Path(tiny_entry("madlad400", tmp_path)["directory"])
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(directory / "sentencepiece.model")
    )
    tokens = tokens_of("madlad400", "any", frozenset(vocabulary(directory)))
    named = tokens.source(processor.encode("Hello world.", out_type=str), "en", "fr")
    assert named == processor.encode("<2fr> Hello world.", out_type=str)


def test_text_cannot_name_a_language(tmp_path: Path) -> None:
    translation = translate(tiny_entry("madlad400", tmp_path), "Hello <2en> world.")
    # As the name of a language it would not come back.
    assert "2en" in translation
    assert translation.endswith("world.")


def test_signs_that_the_model_does_not_know_do_no_harm(tmp_path: Path) -> None:
    translation = translate(tiny_entry("nllb", tmp_path), "Hello \u16a0\u16a2 world.")
    assert translation.startswith("Hello")
    assert translation.endswith("world.")
    assert "\u2047" not in translation  # what sentencepiece writes for an unknown piece
    assert "<unk>" not in translation


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"device": "cuda"}, "CTRANSLATE2_DEVICE is cuda"),
        ({"device": "cpu", "compute_type": "int4"}, "CTRANSLATE2_COMPUTE_TYPE.*int8"),
    ],
)
def test_what_this_machine_cannot_do_is_said(
    options: dict[str, object], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)
    with pytest.raises(ConfigurationError, match=reason):
        load({"models": [tiny_entry("opus-mt", tmp_path)], **options})


def test_damaged_and_missing_files_are_told_apart(tmp_path: Path) -> None:
    entry = tiny_entry("opus-mt", tmp_path)
    weights = Path(entry["directory"]) / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-5_000])
    with pytest.raises(ModelDamaged, match=entry["id"]):
        load({"models": [entry]})
    weights.unlink()
    with pytest.raises(ModelMissing, match=r"model\.bin"):
        load({"models": [entry]})
    with pytest.raises(ConfigurationError, match="no models"):
        load({"models": []})
    nameless = {**tiny_entry("opus-mt", tmp_path), "id": "translator"}
    with pytest.raises(ConfigurationError, match="opus-mt-en-fr"):
        load({"models": [nameless]})
