"""Voice activity detection with its real network."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from speech_translator.engines import silero
from speech_translator.engines.silero import WINDOW, SileroDetector
from speech_translator.engines.values import DetectSpeechCall
from speech_translator.errors import InvalidRequest, ModelDamaged, ModelMissing
from tests.support.recordings import librivox


@pytest.fixture(scope="module")
def detector() -> SileroDetector:
    return silero.load({"models_dir": "unused", "threads": 1})


def speech() -> np.ndarray:
    samples = librivox()[0].samples
    return samples[: len(samples) // WINDOW * WINDOW]


def test_speech_is_told_from_silence_and_noise(detector) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.02, size=WINDOW * 100).astype(np.float32)
    silence = np.zeros(WINDOW * 100, np.float32)
    spoken, hushed, hissing = (
        detector.detect_speech([DetectSpeechCall(audio)])[0].probabilities
        for audio in (speech(), silence, noise)
    )
    assert len(spoken) == len(speech()) // WINDOW
    assert np.mean(spoken > 0.5) > 0.7
    assert hushed.max() < 0.3
    assert hissing.max() < 0.5


@pytest.mark.parametrize("windows", [1, 7, 100])
def test_a_stream_in_pieces_gives_what_the_whole_gives(detector, windows) -> None:
    audio = speech()
    (whole,) = detector.detect_speech([DetectSpeechCall(audio)])
    state, found = None, []
    for start in range(0, len(audio), windows * WINDOW):
        (answer,) = detector.detect_speech(
            [DetectSpeechCall(audio[start : start + windows * WINDOW], state)]
        )
        state = answer.state
        found.append(answer.probabilities)
    np.testing.assert_allclose(np.concatenate(found), whole.probabilities, atol=1e-4)
    np.testing.assert_allclose(
        np.frombuffer(state, "<f4"), np.frombuffer(whole.state, "<f4"), atol=1e-3
    )


def test_streams_of_a_batch_do_not_touch_one_another(detector) -> None:
    audio = speech()
    silence = np.zeros_like(audio)
    (alone,) = detector.detect_speech([DetectSpeechCall(audio)])
    _, beside, _ = detector.detect_speech(
        [DetectSpeechCall(silence), DetectSpeechCall(audio), DetectSpeechCall(silence)]
    )
    np.testing.assert_array_equal(alone.probabilities, beside.probabilities)
    assert alone.state == beside.state


def test_no_audio_gives_no_probabilities_and_keeps_the_state(detector) -> None:
    (before,) = detector.detect_speech([DetectSpeechCall(speech())])
    (after,) = detector.detect_speech([DetectSpeechCall(np.zeros(0, np.float32), before.state)])
    assert len(after.probabilities) == 0
    assert after.state == before.state


def test_samples_that_are_no_numbers_do_not_spoil_the_stream(detector) -> None:
    broken = speech()[: WINDOW * 40].copy()
    broken[WINDOW * 10 : WINDOW * 20] = np.nan
    broken[WINDOW * 30 : WINDOW * 31] = np.inf
    mended = np.where(np.isnan(broken), 0, np.clip(broken, -1, 1)).astype(np.float32)
    (answer,) = detector.detect_speech([DetectSpeechCall(broken)])
    (expected,) = detector.detect_speech([DetectSpeechCall(mended)])
    np.testing.assert_array_equal(answer.probabilities, expected.probabilities)
    assert answer.state == expected.state


@pytest.mark.parametrize(
    "call",
    [
        DetectSpeechCall(np.zeros(WINDOW + 1, np.float32)),
        DetectSpeechCall(np.zeros((2, WINDOW), np.float32)),
        DetectSpeechCall(np.zeros(WINDOW, np.float32), b"short"),
    ],
)
def test_calls_that_break_the_contract_are_refused(detector, call) -> None:
    with pytest.raises(InvalidRequest):
        detector.detect_speech([call])


def test_it_says_what_it_is(detector) -> None:
    info = detector.describe()
    assert (info.name, info.task, info.concurrency) == ("silero", "voice_activity", 1)


def test_a_missing_network_names_the_command_that_adds_it(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ModelMissing, match="pip install"):
        silero.load({})


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_a_damaged_network_is_told(content, tmp_path) -> None:
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelDamaged):
        silero._open(path)
