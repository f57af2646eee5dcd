from pathlib import Path

import pytest

from speech_translator.engines import hibari
from speech_translator.engines.values import SynthesizeCall
from speech_translator.engines.weights import package_file


def test_hibari_offers_further_voices_only_where_their_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("the package tried to download a voice")

    monkeypatch.setattr("hibari.voices.download", refuse)
    only = hibari.load({"models_dir": str(tmp_path)})
    assert [voice.id for voice in only.describe().voices] == ["hibari:heart"]
    # Every voice is a model of the same shape, so heart's own file stands for another one here.
    place = tmp_path / "hibari" / "bf_emma.int8.onnx"
    place.parent.mkdir()
    place.write_bytes(package_file("hibari", "assets/hibari.onnx").read_bytes())
    both = hibari.load({"models_dir": str(tmp_path)})
    assert [voice.id for voice in both.describe().voices] == ["hibari:heart", "hibari:emma"]
    (audio,) = both.synthesize([SynthesizeCall("Good morning.", "en", "hibari:emma")])
    assert len(audio.samples) > 0
