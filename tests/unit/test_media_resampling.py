import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.media import resample
from speech_translator.media.resampling import StreamResampler
from tests.support.media_samples import tone


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
def test_length_pitch_and_level_survive(rate):
    samples = resample(tone(1.0, rate)[0], rate, 16_000)
    assert len(samples) == 16_000
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 440
    assert np.abs(samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


def test_what_the_new_rate_cannot_hold_is_filtered_out():
    wave = np.sin(2 * np.pi * 11_000 * np.arange(48_000) / 48_000).astype(np.float32)
    assert np.abs(resample(wave, 48_000, 16_000)[500:-500]).max() < 0.001


def test_equal_rates_change_nothing():
    wave = tone(0.1, 16_000)[0]
    assert resample(wave, 16_000, 16_000) is wave


@given(st.lists(st.integers(min_value=0, max_value=5_000), max_size=10))
def test_a_stream_gives_the_whole_however_it_is_cut(lengths):
    wave = tone(0.5, 44_100)[0]
    stream, parts, at = StreamResampler(44_100), [], 0
    for length in [*lengths, len(wave)]:
        parts.append(stream.feed(wave[at : at + length]))
        at += length
    parts.append(stream.finish())
    np.testing.assert_allclose(np.concatenate(parts), resample(wave, 44_100, 16_000), atol=1e-4)


@pytest.mark.parametrize(("samples", "rate"), [(np.zeros((2, 5)), 8_000), (np.zeros(5), 0)])
def test_misuse_is_told(samples, rate):
    with pytest.raises(ValueError, match=r"mono|rates"):
        resample(samples, rate, 16_000)
