"""Other sizes of Whisper: named, pulled from a hub, and run with what their own files say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speech_translator.engines import catalog, hub, registry, whisper
from speech_translator.engines.model_card import HubFile, HubSource
from speech_translator.engines.values import SAMPLE_RATE, TranscribeCall
from speech_translator.errors import ConfigurationError, ModelMissing
from speech_translator.settings import Settings
from tests.support.hub_server import hub_server
from tests.support.tiny_whisper import MELS, tiny_whisper


def sound(seconds: float) -> np.ndarray:
    random = np.random.default_rng(5)
    return (random.standard_normal(round(seconds * SAMPLE_RATE)) / 10).astype(np.float32)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("models") / "whisper-large-v3")


def options_of(settings: Settings) -> dict[str, object]:
    (spec,) = registry.engine_specs(settings, ["recognition"])
    return dict(spec.options)


def test_a_size_of_other_proportions_runs_with_what_its_files_say(directory: Path) -> None:
    engine = whisper.load({"model": str(directory), "threads": 2, "compute_type": "float32"})
    assert engine._passes._model.n_mels == MELS != 80
    info = engine.describe()
    assert info.models == ("whisper-large-v3",)
    assert info.to_english
    assert len(info.languages) > 90
    calls = [
        TranscribeCall(sound(2), word_timestamps=True),
        TranscribeCall(sound(25), language="pt"),
        TranscribeCall(sound(3), language="en", task="translate", prompt="Some words."),
    ]
    for call in calls:
        (found,) = engine.transcribe([call])
        seconds = len(call.audio) / SAMPLE_RATE
        assert all(0 <= s.start <= s.end <= seconds + 0.1 for s in found.segments)


def test_turbo_has_no_reading_in_english(directory: Path, tmp_path: Path) -> None:
    turbo = tmp_path / "whisper-large-v3-turbo"
    turbo.symlink_to(directory)
    engine = whisper.load({"model": str(turbo), "compute_type": "float32"})
    assert not engine.describe().to_english


def test_a_size_is_pulled_and_named_by_its_id_or_its_size(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tuple(HubFile(path.name) for path in sorted(directory.iterdir()))
    (card,) = (card for card in catalog.CARDS if card.id == "whisper-large-v3")
    with hub_server() as server:
        server.add("someone/whisper", directory)
        card = replace(card, hub=HubSource("someone/whisper", None, files))
        settings = Settings(cache_dir=tmp_path, whisper_model="large-v3")
        with pytest.raises(ModelMissing, match="models pull whisper-large-v3"):
            whisper.load(options_of(settings))
        hub.pull(card, settings.models_dir, endpoint=server.url)
    for name in ("large-v3", "whisper-large-v3"):
        options = options_of(settings.model_copy(update={"whisper_model": name}))
        engine = whisper.load({**options, "compute_type": "float32"})
        assert engine.describe().models == (card.id,)


def test_names_that_are_not_there_are_told_what_there_is(tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path, whisper_model="gigantic")
    with pytest.raises(ModelMissing, match="no Whisper model of that name"):
        whisper.load(options_of(settings))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"whisper_device": "cuda"}, "WHISPER_DEVICE"),
        ({"whisper_compute_type": "int4"}, "WHISPER_COMPUTE_TYPE"),
    ],
)
def test_what_this_machine_cannot_do_is_told(
    directory: Path, changes: dict[str, object], said: str
) -> None:
    settings = Settings(whisper_model=str(directory), **changes)
    with pytest.raises(ConfigurationError, match=said):
        whisper.load(options_of(settings))
