"""Compressed live audio through a sandboxed process per stream."""

import os
import signal

import numpy as np
import pytest
import pytest_asyncio

from speech_translator.errors import (
    AudioTooLong,
    DamagedAudio,
    InvalidAudio,
    NoAudioTrack,
    Overloaded,
    UnsupportedAudio,
)
from speech_translator.media import DecoderConfig, DecoderPool
from speech_translator.media.decoder_values import StreamLimits
from speech_translator.media.sniffing import AudioFormat
from speech_translator.media.streaming_decoder import StreamingDecoder
from tests.support.media_samples import live_stream, open_descriptors, tone, video_only, wav

pytestmark = pytest.mark.asyncio(loop_scope="module")
FORMATS = {"webm": AudioFormat.MATROSKA, "ogg": AudioFormat.OGG}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    pool = DecoderPool(DecoderConfig(processes=1, max_streams=2))
    await pool.start()
    yield pool
    await pool.stop()


async def run(stream: StreamingDecoder, data: bytes) -> None:
    await stream.feed(data)
    await stream.finish()


@pytest.mark.parametrize("container", FORMATS)
async def test_what_was_fed_comes_back_at_once(pool, container):
    pieces = live_stream(container, tone(3.0, 48_000))
    stream = await pool.open_stream(audio_format=FORMATS[container])
    parts, behind = [], []
    for number, piece in enumerate(pieces):
        parts.append(await stream.feed(piece))
        behind.append((number + 1) / len(pieces) * 3.0 - sum(map(len, parts)) / 16_000)
    assert max(behind) < 0.4, "no more than a page or two is held back"
    parts.append(await stream.finish())
    samples = np.concatenate(parts)
    assert len(samples) / 16_000 == pytest.approx(3.0, abs=0.05)
    assert np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / len(samples) == pytest.approx(440, 1)


@pytest.mark.parametrize("container", FORMATS)
async def test_silence_that_the_encoder_left_out_is_put_back(pool, container):
    rate = 48_000
    audio = np.concatenate((tone(2.0, rate), np.zeros((1, 8 * rate)), tone(2.0, rate)), axis=1)
    pieces = live_stream(container, audio.astype(np.float32), left_out=(2.5, 9.5))
    stream = await pool.open_stream(audio_format=FORMATS[container])
    parts = [await stream.feed(piece) for piece in pieces]
    samples = np.concatenate([*parts, await stream.finish()])
    assert len(samples) / 16_000 == pytest.approx(12.0, abs=0.15)
    loud = np.flatnonzero(np.abs(samples) > 0.2) / 16_000
    assert loud[loud < 5].max() == pytest.approx(2.0, abs=0.15)
    assert loud[loud > 5].min() == pytest.approx(10.0, abs=0.15)


async def test_where_messages_are_cut_changes_nothing(pool):
    data = b"".join(live_stream("webm", tone(1.0, 48_000)))
    results = []
    for size in (37, 1_000, len(data)):
        stream = await pool.open_stream()
        parts = [await stream.feed(data[at : at + size]) for at in range(0, len(data), size)]
        results.append(np.concatenate([*parts, await stream.finish()]))
    for samples in results[1:]:
        np.testing.assert_allclose(samples, results[0], atol=1e-5)


async def test_what_is_no_stream_of_that_kind_is_refused_and_cleared_away(pool):
    before = open_descriptors()
    for data, error in (
        (b"this is text " * 1_000, DamagedAudio),
        (wav(bytes(32_000)), DamagedAudio),
        (b"#EXTM3U\n/etc/passwd\n" * 100, DamagedAudio),
        (video_only("matroska"), NoAudioTrack),
    ):
        stream = await pool.open_stream()
        with pytest.raises(error):
            await run(stream, data)
        with pytest.raises(DamagedAudio, match="over"):
            await stream.feed(data)
    with pytest.raises(UnsupportedAudio):
        await pool.open_stream(audio_format=AudioFormat.WAV)
    assert open_descriptors() <= before + 4  # the next decoder may be on its way


async def test_damage_in_the_middle_does_not_end_the_service(pool):
    rng = np.random.default_rng(5)
    data = b"".join(live_stream("webm", tone(1.0, 48_000)))
    for _ in range(10):
        damaged = bytearray(data)
        for at in rng.integers(60, len(data), 20):
            damaged[at] ^= 0xFF
        stream = await pool.open_stream()
        try:
            for at in range(0, len(damaged), 2_000):
                samples = await stream.feed(bytes(damaged[at : at + 2_000]))
                assert np.abs(samples).max(initial=0.0) <= 1.0
            await stream.finish()
        except InvalidAudio:
            pass
        finally:
            await stream.close()
    stream = await pool.open_stream()
    await stream.feed(data)
    assert len(await stream.finish()) >= 0


async def test_a_stream_that_ends_before_any_sound_is_no_fault(pool):
    data = b"".join(live_stream("webm", tone(0.5, 48_000)))
    header = data[: data.index(b"\x1f\x43\xb6\x75")]  # all before the first cluster
    for fed in (header, b""):
        stream = await pool.open_stream()
        assert len(await stream.feed(fed)) == 0
        assert len(await stream.finish()) == 0


async def test_length_is_bounded_as_a_whole_and_per_message(pool):
    data = b"".join(live_stream("webm", np.zeros((1, 48_000 * 20), np.float32)))
    stream = await pool.open_stream(limits=StreamLimits(max_seconds=5.0))
    with pytest.raises(AudioTooLong):
        await run(stream, data)
    stream = await pool.open_stream(limits=StreamLimits(max_burst_s=5.0))
    with pytest.raises(AudioTooLong):
        await stream.feed(data)


async def test_streams_are_counted_and_given_back(pool):
    streams = [await pool.open_stream() for _ in range(2)]
    with pytest.raises(Overloaded):
        await pool.open_stream()
    for stream in streams:
        await stream.close()
        await stream.close()
    again = await pool.open_stream()
    await again.close()


async def test_uploads_are_served_beside_streams(pool, tmp_path):
    streams = [await pool.open_stream() for _ in range(2)]
    path = tmp_path / "file.wav"
    path.write_bytes(wav(bytes(32_000)))
    assert (await pool.decode(path, max_seconds=10.0, deadline=20.0)).duration == 1.0
    for stream in streams:
        await stream.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_decoder_that_dies_or_hangs_ends_its_stream_only(pool, number):
    pieces = live_stream("webm", tone(1.0, 48_000))
    limits = StreamLimits(timeout_s=1.0)
    stream = await pool.open_stream(limits=limits)
    await stream.feed(pieces[0])
    (pid,) = pool.busy_pids
    pidfd = os.pidfd_open(pid)  # one process of our own, and never a group
    signal.pidfd_send_signal(pidfd, number)
    os.close(pidfd)
    with pytest.raises(DamagedAudio):
        await stream.feed(b"".join(pieces[1:]))
    other = await pool.open_stream()
    parts = [await other.feed(piece) for piece in pieces]
    assert sum(map(len, [*parts, await other.finish()])) > 14_000
