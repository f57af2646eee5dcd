"""Kokoro's engine over a session that only notes what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speech_translator.engines import kokoro, kokoro_voices
from speech_translator.engines.kokoro_phonemes import VOCABULARY
from speech_translator.engines.values import SynthesizeCall
from speech_translator.errors import ModelDamaged, ModelMissing, TextTooLong

LONG = "I went to the market this morning, and there I met a friend of mine. " * 4


class Notes:
    """Answers a tone of 0.1 s a token."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def run(self, _outputs: None, inputs: dict[str, Any], _options: None) -> list[Any]:
        self.calls.append(inputs)
        count = inputs["tokens"].shape[1] * kokoro.SAMPLE_RATE // 10
        return [np.sin(np.arange(count) * 0.1).astype(np.float32)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Voices whose rows hold their own number; all but one."""
    rows = np.repeat(np.arange(510, dtype=np.float32), 256)
    for name in ("af_heart", "bf_emma", "pf_dora"):
        rows.tofile(tmp_path / f"{name}.bin")
    return tmp_path


@pytest.fixture
def session() -> Notes:
    return Notes()


@pytest.fixture
def engine(session: Notes, directory: Path) -> kokoro.Kokoro:
    return kokoro.Kokoro(session, directory, kokoro_voices.installed(directory))  # type: ignore[arg-type]


def test_only_voices_that_are_there_are_offered(engine: kokoro.Kokoro) -> None:
    ids = [voice.id for voice in engine.describe().voices]
    assert ids == ["kokoro:af_heart", "kokoro:bf_emma", "kokoro:pf_dora"]
    assert engine.describe().languages == ("en", "pt")


def test_tokens_are_padded_and_the_style_is_that_of_their_number(
    engine: kokoro.Kokoro, session: Notes
) -> None:
    engine.synthesize([SynthesizeCall("Olá!", "pt", speed=1.5)])
    (call,) = session.calls
    ids = call["tokens"][0].tolist()
    assert ids == [0, *(VOCABULARY[char] for char in "olˈa!"), 0]  # noqa: RUF001 - phonemes
    assert call["style"].shape == (1, 256)
    assert call["style"][0, 0] == 5 - 1
    assert call["speed"].tolist() == [1.5]


def test_a_british_voice_reads_british_english(engine: kokoro.Kokoro, session: Notes) -> None:
    for voice in ("kokoro:af_heart", "kokoro:bf_emma"):
        engine.synthesize([SynthesizeCall("Go", "en", voice)])
    american, british = (set(call["tokens"][0].tolist()) for call in session.calls)
    assert VOCABULARY["O"] in american - british
    assert VOCABULARY["Q"] in british - american


def test_long_text_is_spoken_in_windows_with_pauses(engine: kokoro.Kokoro, session: Notes) -> None:
    (audio,) = engine.synthesize([SynthesizeCall(LONG, "en")])
    sizes = [call["tokens"].shape[1] for call in session.calls]
    assert len(sizes) > 1
    assert max(sizes) <= kokoro.WINDOW_PHONEMES[1] + 2
    spoken = sum(size * kokoro.SAMPLE_RATE // 10 for size in sizes)
    assert len(audio.samples) > spoken + kokoro.SAMPLE_RATE // 10


def test_text_that_takes_too_long_to_say_is_refused_before_any_work(
    engine: kokoro.Kokoro, session: Notes
) -> None:
    with pytest.raises(TextTooLong):
        engine.synthesize([SynthesizeCall("77 " * 100, "en")])
    assert session.calls == []


@pytest.mark.parametrize("content", [b"", b"short", bytes([0, 0, 0xC0, 0x7F]) * 510 * 256])
def test_a_damaged_voice_is_told_with_what_mends_it(
    engine: kokoro.Kokoro, directory: Path, content: bytes
) -> None:
    (directory / "pf_dora.bin").write_bytes(content)
    with pytest.raises(ModelDamaged, match="--force"):
        engine.synthesize([SynthesizeCall("Olá!", "pt")])


def test_without_voices_the_command_that_adds_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=kokoro_voices.COMMAND) as missing:
        kokoro.load({"models_dir": str(tmp_path), "threads": 1})
    assert missing.value.details["command"] == kokoro_voices.COMMAND


def test_names_tell_language_region_and_gender() -> None:
    assert len(kokoro_voices.NAMES) == len(set(kokoro_voices.NAMES)) == 54
    george = kokoro_voices.voice("bm_george")
    assert (george.id, george.name, george.language) == ("kokoro:bm_george", "George", "en")
    assert (george.gender, george.region) == ("male", "GB")
