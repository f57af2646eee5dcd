import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.whisper_features import (
    FULL_FRAMES,
    MIN_FRAMES,
    log_mel,
    window_frames,
)


def sound(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    steps = np.arange(round(seconds * 16_000))
    tone = np.sin(2 * np.pi * 300 * steps / 16_000) * np.linspace(0, 0.5, len(steps))
    return (tone + rng.normal(scale=0.01, size=len(steps))).astype(np.float32)


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.5, 3.0, 29.0])
def test_features_are_those_of_the_reference(seconds, n_mels) -> None:
    from faster_whisper.feature_extractor import FeatureExtractor

    audio = sound(seconds)
    silence = np.zeros(FULL_FRAMES * 160 - len(audio), np.float32)
    expected = FeatureExtractor(feature_size=n_mels)(np.concatenate((audio, silence)), padding=0)
    ours = log_mel(audio, FULL_FRAMES, n_mels)
    assert ours.shape == (n_mels, FULL_FRAMES)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected[:, :FULL_FRAMES], atol=1e-4)


def test_a_short_window_is_the_start_of_the_full_one() -> None:
    audio = sound(4.0)
    np.testing.assert_array_equal(
        log_mel(audio, MIN_FRAMES, 80), log_mel(audio, FULL_FRAMES, 80)[:, :MIN_FRAMES]
    )


@pytest.mark.parametrize("samples", [0, 1, 199, 200, 201, 160 * 1000, 160 * 1000 + 5000])
def test_any_length_gives_a_finite_window(samples) -> None:
    features = log_mel(sound(samples / 16_000), MIN_FRAMES, 80)
    assert features.shape == (80, MIN_FRAMES)
    assert np.isfinite(features).all()


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=8))
def test_a_window_holds_its_longest_clip_with_room_behind(seconds) -> None:
    frames = window_frames(seconds)
    assert MIN_FRAMES <= frames <= FULL_FRAMES
    assert frames % 100 == 0
    assert frames >= min(FULL_FRAMES, max(seconds) * 100 + 200)
    assert frames < max(MIN_FRAMES, max(seconds) * 100 + 200) + 100
