"""Real decoder processes on real files: what comes out, and what is refused."""

import asyncio
import os

import numpy as np
import pytest
import pytest_asyncio

from speech_translator.errors import (
    AudioTooLong,
    DamagedAudio,
    DeadlineExceeded,
    EmptyAudio,
    NoAudioTrack,
    Overloaded,
    ShuttingDown,
    UnsupportedAudio,
)
from speech_translator.media import DecoderConfig, DecoderPool, spool
from speech_translator.reliability.deadlines import Deadline
from tests.support.media_samples import (
    every_container,
    mov_with_external_media,
    mux,
    open_descriptors,
    tone,
    video_only,
    wav,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
GOOD = wav((tone(1.0, 16_000)[0] * 32_767).astype("<i2").tobytes())
LIMIT_S = 7_200.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    pool = DecoderPool()
    await pool.start()
    yield pool
    await pool.stop()


@pytest.fixture
def decode(pool, tmp_path):
    async def run(data: bytes, **options):
        path = tmp_path / "upload.bin"
        path.write_bytes(data)
        return await pool.decode(path, **{"max_seconds": LIMIT_S, "deadline": 30.0, **options})

    return run


async def test_every_container_is_decoded_to_the_tone_that_went_in(decode):
    for name, data in every_container().items():
        audio = await decode(data)
        assert audio.samples.dtype == np.float32, name
        assert audio.duration == pytest.approx(2.0, abs=0.12), name
        assert len(audio.samples) == round(audio.duration * 16_000), name
        spectrum = np.abs(np.fft.rfft(audio.samples))
        assert np.argmax(spectrum) / audio.duration == pytest.approx(440, abs=2), name
        assert not audio.truncated, name
        assert np.abs(audio.samples[4_000:-4_000]).max() == pytest.approx(0.5, abs=0.06), name


async def test_what_is_said_of_the_source_is_true(decode):
    audio = await decode(mux("webm", "libopus", tone(1.0, 48_000, 2), 48_000))
    assert (audio.format, audio.codec, audio.sample_rate, audio.channels) == (
        "matroska", "opus", 48_000, 2,
    )  # fmt: skip


BAD = {
    "empty": (b"", EmptyAudio),
    "text": (b"This is no recording at all, only text.\n" * 50, UnsupportedAudio),
    "html": (b"<html><body>hello</body></html>", UnsupportedAudio),
    "zip": (b"PK\x03\x04" + bytes(100), UnsupportedAudio),
    "ffconcat": (b"ffconcat version 1.0\nfile /etc/passwd\n", UnsupportedAudio),
    "hls": (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", UnsupportedAudio),
    "external": (mov_with_external_media("/etc/passwd"), DamagedAudio),
    "video": (video_only(), NoAudioTrack),
    "video-matroska": (video_only("matroska"), NoAudioTrack),
    "zero-length": (wav(b""), EmptyAudio),
    "only-a-header": (wav(b"")[:44], EmptyAudio),
    "half-a-header": (wav(b"")[:20], DamagedAudio),
    "cut-m4a": (mux("ipod", "aac", tone(2.0, 16_000), 16_000)[:9_000], DamagedAudio),
    "noise-after-magic": (b"OggS" + bytes(range(256)) * 20, DamagedAudio),
    "no-channels": (wav(bytes(32_000), channels=0), DamagedAudio),
    "odd-rate": (wav(bytes(32_000), rate=1), UnsupportedAudio),
}


@pytest.mark.parametrize(("data", "error"), BAD.values(), ids=BAD.keys())
async def test_bad_input_has_its_own_error_and_the_next_is_served(decode, data, error):
    with pytest.raises(error) as refused:
        await decode(data)
    assert type(refused.value) is error
    assert "passwd" not in str(refused.value)
    assert (await decode(GOOD)).duration == 1.0


async def test_eight_channels_and_192_khz_are_served(decode):
    audio = await decode(mux("wav", "pcm_s24le", tone(1.0, 192_000, 8), 192_000))
    assert (audio.channels, audio.sample_rate, audio.duration) == (8, 192_000, 1.0)


async def test_three_hours_over_the_limit_are_refused_by_their_header(pool, tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(wav(b"", stated=3 * 3600 * 32_000))
    os.truncate(path, 44 + 3 * 3600 * 32_000)
    with pytest.raises(AudioTooLong) as refused:
        await pool.decode(path, max_seconds=LIMIT_S, deadline=5.0)
    assert refused.value.details == {"limit_s": LIMIT_S}


async def test_three_hours_over_the_limit_are_refused_while_decoding(decode):
    second = mux("adts", "aac", np.zeros((1, 8_000), np.float32), 8_000)
    seen = []
    with pytest.raises(AudioTooLong):
        await decode(second * 3 * 3600, max_seconds=600.0, progress=seen.append)
    assert all(seconds <= 601.0 for seconds in seen)


async def test_a_long_recording_is_mapped_not_loaded(pool, tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(wav(b"", rate=8_000, stated=600 * 16_000))
    os.truncate(path, 44 + 600 * 16_000)
    seen = []
    before = open_descriptors()
    audio = await pool.decode(path, max_seconds=LIMIT_S, deadline=60.0, progress=seen.append)
    assert isinstance(audio.samples, np.memmap)
    assert audio.duration == 600.0
    assert not audio.samples.flags.writeable
    assert seen == sorted(seen)
    del audio
    assert open_descriptors() <= before + 1  # a decoder may be on its way


async def test_an_open_upload_needs_no_path(pool):
    async def body():
        yield GOOD

    with await spool(body(), max_bytes=1 << 20) as upload:
        audio = await pool.decode(upload, max_seconds=10.0, deadline=Deadline.after(10.0))
        again = await pool.decode(upload, max_seconds=10.0, deadline=10.0)
    assert audio.duration == again.duration == 1.0


async def test_only_regular_files_are_read(pool, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    before = open_descriptors()
    for path in (fifo, tmp_path):
        with pytest.raises(UnsupportedAudio):
            await pool.decode(path, max_seconds=10.0, deadline=5.0)
    with pytest.raises(FileNotFoundError):
        await pool.decode(tmp_path / "missing", max_seconds=10.0, deadline=5.0)
    assert open_descriptors() == before


async def test_many_at_once_all_get_their_own_samples(pool, tmp_path):
    async def one(number: int) -> int:
        path = tmp_path / str(number)
        path.write_bytes(wav(np.full(1_600 + number, number * 100, "<i2").tobytes()))
        audio = await pool.decode(path, max_seconds=10.0, deadline=30.0)
        assert (np.round(audio.samples * 32_768) == number * 100).all()
        return len(audio.samples)

    lengths = await asyncio.gather(*(one(number) for number in range(24)))
    assert lengths == [1_600 + number for number in range(24)]


async def test_waiting_is_bounded_in_number_and_in_time(tmp_path):
    slow = tmp_path / "slow.wav"
    slow.write_bytes(wav(b"", stated=6_000 * 32_000))
    os.truncate(slow, 44 + 6_000 * 32_000)
    quick = tmp_path / "quick.wav"
    quick.write_bytes(GOOD)
    pool = DecoderPool(DecoderConfig(processes=1, queue_limit=1))
    with pytest.raises(ShuttingDown):
        await pool.decode(quick, max_seconds=10.0, deadline=5.0)
    await pool.start()
    try:
        first = asyncio.create_task(pool.decode(slow, max_seconds=9_999.0, deadline=60.0))
        await asyncio.sleep(0.05)
        with pytest.raises(DeadlineExceeded):
            await pool.decode(quick, max_seconds=10.0, deadline=0.05)
        second = asyncio.create_task(pool.decode(quick, max_seconds=10.0, deadline=60.0))
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded) as refused:
            await pool.decode(quick, max_seconds=10.0, deadline=60.0)
        assert refused.value.retry_after
        first.cancel()
        assert (await second).duration == 1.0
    finally:
        await pool.stop()
    assert first.cancelled()
