import io

import av
import numpy as np
import pytest

from speech_translator.errors import UnsupportedFormat
from speech_translator.media import MEDIA_TYPES, StreamEncoder, encode, sniff
from speech_translator.media.encoding import OUTPUT_RATES, choose_rate
from tests.support.media_samples import tone

RATE = 24_000
SPEECH = tone(1.5, RATE)[0]


def read_back(data: bytes) -> tuple[np.ndarray, int]:
    """Mono samples and rate of a whole file."""
    with av.open(io.BytesIO(data)) as file:
        resampler = av.AudioResampler("flt", "mono")
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        return np.concatenate([f.to_ndarray()[0] for f in frames]), frames[0].sample_rate


def pitch(samples: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize("output_rate", [None, 8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("audio_format", MEDIA_TYPES)
def test_a_file_holds_the_same_sound_and_states_its_length(audio_format, output_rate):
    data = encode(SPEECH, RATE, audio_format=audio_format, output_rate=output_rate)
    assert sniff(data) == {"opus": "ogg"}.get(audio_format, audio_format)
    with av.open(io.BytesIO(data)) as file:
        assert file.duration / 1e6 == pytest.approx(1.5, abs=0.02)
    samples, rate = read_back(data)
    assert rate == (48_000 if audio_format == "opus" else output_rate or RATE)
    assert len(samples) / rate == pytest.approx(1.5, abs=0.02)
    assert pitch(samples, rate) == pytest.approx(440, abs=2)
    assert np.abs(samples[rate // 4 : -rate // 4]).max() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("audio_format", MEDIA_TYPES)
def test_a_stream_holds_the_same_sound(audio_format):
    encoder = StreamEncoder(RATE, audio_format=audio_format, output_rate=16_000)
    chunks = [encoder.feed(SPEECH[at : at + 1_700]) for at in range(0, len(SPEECH), 1_700)]
    assert sum(map(bool, chunks)) > 3, "sound goes out while it comes in"
    samples, rate = read_back(b"".join([*chunks, encoder.finish()]))
    # MP3's own padding is stated in a header that a stream cannot go back to.
    assert len(samples) / rate == pytest.approx(1.5, abs=0.12 if audio_format == "mp3" else 0.02)
    assert pitch(samples, rate) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("audio_format", MEDIA_TYPES)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_next_to_no_sound_is_a_file_too(audio_format, count):
    data = encode(np.zeros(count, np.float32), RATE, audio_format=audio_format)
    with av.open(io.BytesIO(data)) as file:
        assert len(file.streams.audio) == 1


@pytest.mark.parametrize("audio_format", MEDIA_TYPES)
def test_values_that_are_no_sound_do_no_harm(audio_format):
    wild = SPEECH.copy()
    wild[10_000:10_100] = [np.nan, np.inf, -np.inf, 40.0] * 25
    samples, _ = read_back(encode(wild, RATE, audio_format=audio_format))
    assert np.isfinite(samples).all()
    assert pitch(samples, 48_000 if audio_format == "opus" else RATE) == pytest.approx(440, abs=2)


def test_wav_clips_instead_of_wrapping_round():
    loud, _ = read_back(encode(np.array([2.0, -2.0, 1.0, -1.0], np.float32), RATE))
    assert np.sign(loud).tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("rate", OUTPUT_RATES)
def test_opus_takes_the_next_rate_that_it_has(rate):
    chosen = choose_rate("opus", RATE, rate)
    assert chosen in {8_000, 12_000, 16_000, 24_000, 48_000}
    assert chosen >= rate


def test_what_is_not_offered_is_refused_with_what_is():
    with pytest.raises(UnsupportedFormat) as refused:
        encode(SPEECH, RATE, audio_format="wma")
    assert "opus" in refused.value.details["supported"]
    with pytest.raises(UnsupportedFormat):
        StreamEncoder(RATE, output_rate=7_999)
