import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import UnsupportedFormat
from speech_translator.media import PcmDecoder

SINE = np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000)


def cut(data: bytes, lengths: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for length in lengths:
        pieces.append(data[at : at + length])
        at += length
    return [*pieces, data[at:]]


def decode(pieces: list[bytes], encoding: str, rate: int) -> np.ndarray:
    decoder = PcmDecoder(encoding, rate)
    return np.concatenate([*(decoder.feed(piece) for piece in pieces), decoder.finish()])


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("encoding", ["pcm_s16le", "mulaw"])
@given(
    data=st.binary(max_size=3000),
    lengths=st.lists(st.integers(min_value=0, max_value=700), max_size=8),
)
def test_where_frames_are_cut_changes_nothing(encoding, rate, data, lengths):
    whole = decode([data], encoding, rate)
    pieces = decode(cut(data, lengths), encoding, rate)
    np.testing.assert_allclose(pieces, whole, atol=1e-6)
    samples = len(data) // 2 if encoding == "pcm_s16le" else len(data)
    assert abs(len(whole) - samples * 16_000 / rate) <= 1


def test_mulaw_has_the_values_of_g711():
    decoder = PcmDecoder("mulaw", 16_000)
    linear = decoder.feed(bytes([0x00, 0x80, 0x7F, 0xFF, 0x01, 0x8F, 0x70, 0xF0])) * 32_768
    assert linear.tolist() == [-32124, 32124, 0, 0, -31100, 16764, -120, 120]


def test_linear_pcm_keeps_its_values():
    decoder = PcmDecoder()
    values = np.array([0, 1, -1, 32767, -32768], "<i2")
    assert (decoder.feed(values.tobytes()) * 32_768).tolist() == values.tolist()


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_a_tone_keeps_its_pitch_and_level_at_every_rate(rate):
    wave = 0.5 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)
    samples = decode([(wave * 32_767).astype("<i2").tobytes()], "pcm_s16le", rate)
    assert len(samples) == 16_000
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 300
    assert np.abs(samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("encoding", "rate"), [("pcm_f32le", 16_000), ("mulaw", 44_100), ("", 16_000), ("mulaw", 0)]
)
def test_what_is_not_offered_is_refused_with_what_is(encoding, rate):
    with pytest.raises(UnsupportedFormat) as refused:
        PcmDecoder(encoding, rate)
    assert refused.value.details["supported"]
