"""The reader that runs inside the sandbox, called in-process where it needs no protection."""

import io

import numpy as np
import pytest

from speech_translator.errors import AudioTooLong, DamagedAudio, InvalidAudio, UnsupportedAudio
from speech_translator.media.audio_reader import AudioReader, ReadSummary
from speech_translator.media.sniffing import AudioFormat
from tests.support.media_samples import mov_with_external_media, mux, tone, wav


def read(
    data: bytes, audio_format: str, *, max_seconds: float = 60.0
) -> tuple[ReadSummary, np.ndarray]:
    parts: list[np.ndarray] = [np.zeros(0, np.float32)]
    reader = AudioReader(
        io.BytesIO(data), AudioFormat(audio_format), parts.append, max_seconds=max_seconds
    )
    summary = reader.read()
    samples = np.concatenate(parts)
    assert summary.samples == len(samples)
    return summary, samples


def pitch(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / len(samples))


@pytest.mark.parametrize(
    ("container", "codec", "audio_format"),
    [
        ("wav", "pcm_s24le", "wav"), ("wav", "pcm_f32le", "wav"), ("flac", "flac", "flac"),
        ("ogg", "libopus", "ogg"), ("matroska", "aac", "matroska"),
    ],
)  # fmt: skip
def test_eight_channels_become_their_mean(container, codec, audio_format):
    audio = tone(1.0, 48_000, 8)
    audio[4:] = 0
    summary, samples = read(mux(container, codec, audio, 48_000), audio_format)
    assert summary.channels == 8
    assert pitch(samples) == pytest.approx(440, abs=1)
    # Lossy codecs shift energy between channels, and AAC drops most of a low-frequency channel.
    assert np.abs(samples[2000:-2000]).max() == pytest.approx(0.25, abs=0.07)


def test_more_channels_than_anybody_has_are_read_too():
    frames = np.zeros((16_000, 64), "<i2")
    frames[:, 63] = (np.sin(np.arange(16_000) * 0.3) * 32_000).astype("<i2")
    summary, samples = read(wav(frames.tobytes(), channels=64), "wav")
    assert (summary.channels, len(samples)) == (64, 16_000)
    assert np.abs(samples).max() == pytest.approx(32_000 / 32_768 / 64, rel=0.02)


def test_192_khz_keeps_length_and_pitch():
    _, samples = read(mux("wav", "pcm_s24le", tone(1.0, 192_000, 2), 192_000), "wav")
    assert len(samples) == 16_000
    assert pitch(samples) == 440


@pytest.mark.parametrize("bits", [32, 64])
def test_values_that_are_no_sound_become_silence_or_full_scale(bits):
    values = np.full(16_000, np.nan, f"<f{bits // 8}")
    values[4_000:8_000] = np.inf
    values[8_000:12_000] = -np.finfo(values.dtype).max
    _, samples = read(wav(values.tobytes(), tag=3, bits=bits), "wav")
    assert samples[1_000:3_000].tolist() == [0.0] * 2_000
    assert (samples[5_000:7_000] == 1.0).all()
    assert (samples[9_000:11_000] == -1.0).all()
    assert np.abs(samples).max() <= 1.0


def test_a_rate_that_changes_on_the_way_is_followed():
    """Chained Ogg streams (RFC 3533, section 6), and ADTS, may change it at any place."""
    parts = [mux("adts", "aac", tone(1.0, rate), rate) for rate in (16_000, 48_000)]
    summary, samples = read(b"".join(parts), "aac")
    assert len(samples) == pytest.approx(2 * 16_000, rel=0.1)
    for half in np.split(samples[: len(samples) // 2 * 2], 2):
        assert pitch(half[2_000:-2_000]) == pytest.approx(440, abs=2)
    assert not summary.truncated


@pytest.mark.parametrize("rate", [1, 3_999, 768_001, 0x3FFFFFFF])
def test_rates_that_no_recorder_has_are_refused(rate):
    with pytest.raises(UnsupportedAudio):
        read(wav(bytes(32_000), rate=rate), "wav")


@pytest.mark.parametrize("stated", [0xFFFFFFFF, 3 * 3600 * 32_000, 0, 100])
def test_a_header_that_lies_about_its_size_is_not_believed(stated):
    summary, samples = read(wav(bytes(32_000), stated=stated), "wav", max_seconds=10.0)
    assert len(samples) in {16_000, 50}
    assert summary.truncated == (stated == 3 * 3600 * 32_000)


def test_a_fact_chunk_that_lies_about_the_length_is_not_believed():
    honest = mux("wav", "adpcm_ms", tone(1.0, 16_000), 16_000)
    at = honest.index(b"fact") + 8
    lying = honest[:at] + (3 * 3600 * 16_000).to_bytes(4, "little") + honest[at + 4 :]
    assert lying != honest
    _, samples = read(lying, "wav", max_seconds=10.0)
    assert len(samples) == pytest.approx(16_000, rel=0.05)


@pytest.mark.parametrize("name", ["flac", "matroska"])
def test_a_cut_file_gives_what_is_there_and_says_so(name):
    codec = {"flac": "flac", "matroska": "libopus"}[name]
    data = mux(name, codec, tone(2.0, 48_000), 48_000)
    summary, samples = read(data[: len(data) * 6 // 10], name)
    assert summary.truncated
    assert 0.8 < len(samples) / 16_000 < 1.5
    assert pitch(samples) == pytest.approx(440, abs=2)


def test_next_to_nothing_of_a_file_is_damage_not_sound():
    data = wav(bytes(1_000), stated=320_000)
    with pytest.raises(DamagedAudio):
        read(data, "wav")
    _, samples = read(wav(bytes(1_000)), "wav")
    assert len(samples) == 500, "a short file that is whole is fine"


def test_length_is_capped_while_decoding_where_no_header_tells_it():
    second = mux("adts", "aac", np.zeros((1, 8_000), np.float32), 8_000)
    written = []
    reader = AudioReader(
        io.BytesIO(second * 600), AudioFormat.AAC, written.append, max_seconds=20.0
    )
    with pytest.raises(AudioTooLong):
        reader.read()
    assert sum(map(len, written)) <= 20.1 * 16_000


def test_a_recording_as_long_as_the_limit_passes():
    _, samples = read(mux("ogg", "libopus", tone(2.0, 48_000), 48_000), "ogg", max_seconds=2.0)
    assert len(samples) == pytest.approx(32_000, abs=200)


def test_codecs_outside_the_list_do_not_run():
    with pytest.raises(UnsupportedAudio):
        read(mux("matroska", "tta", tone(1.0, 48_000, 2), 48_000), "matroska")


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile {name}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{name}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD><BaseURL>{name}</BaseURL></MPD>',
}


@pytest.mark.parametrize("playlist", PLAYLISTS.values(), ids=PLAYLISTS.keys())
@pytest.mark.parametrize("audio_format", AudioFormat)
def test_no_demuxer_follows_a_playlist(playlist, audio_format, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.wav").write_bytes(mux("wav", "pcm_s16le", tone(1.0, 16_000), 16_000))
    with pytest.raises(InvalidAudio):
        read(playlist.format(name="secret.wav").encode(), audio_format)


def test_a_track_that_lives_in_another_file_is_not_followed(tmp_path, monkeypatch):
    import av

    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.raw").write_bytes(np.full(20_000, 12_345, "<i2").tobytes())
    attack = mov_with_external_media("secret.raw")
    (tmp_path / "attack.mov").write_bytes(attack)
    options = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open("attack.mov", options=options) as unguarded:
        leaked = next(unguarded.decode(audio=0)).to_ndarray()
    assert (leaked == 12_345).all(), "the file is a real attack"
    with pytest.raises(DamagedAudio):
        read(attack, "mp4")
