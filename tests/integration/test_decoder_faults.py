"""Decoders that crash, hang or are killed; callers that go away; nothing may be left behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from speech_translator.errors import DamagedAudio, DeadlineExceeded, Overloaded, ShuttingDown
from speech_translator.media import DecoderConfig, DecoderPool, encode
from tests.support.media_samples import open_descriptors, wav

SECONDS = 600


@pytest.fixture
def long_file(tmp_path) -> Path:
    """Takes a few tenths of a second to decode, and no disk."""
    path = tmp_path / "long.wav"
    path.write_bytes(wav(b"", rate=8_000, stated=SECONDS * 16_000))
    os.truncate(path, 44 + SECONDS * 16_000)
    return path


@contextlib.asynccontextmanager
async def running(**options):
    pool = DecoderPool(DecoderConfig(**options))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


def decode(pool: DecoderPool, path: Path, deadline: float = 60.0) -> asyncio.Task:
    return asyncio.create_task(pool.decode(path, max_seconds=9_999.0, deadline=deadline))


async def busy_pid(pool: DecoderPool) -> int:
    """The process that works."""
    for _ in range(2_000):
        if pool.busy_pids:
            return pool.busy_pids[0]
        await asyncio.sleep(0.002)
    raise TimeoutError


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def send(pool: DecoderPool, pid: int, number: int) -> None:
    """Signal a process of this pool and no other: a pidfd means one process, never a group."""
    pidfd = os.pidfd_open(pid)
    try:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # gone by itself
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
            assert parent in {pool.nursery_pid, os.getpid()}
            signal.pidfd_send_signal(pidfd, number)
    finally:
        os.close(pidfd)


async def eventually(condition) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_a_second_attempt_reads_a_stream_from_its_start(tmp_path):
    """The file's position is shared with the decoder that was lost in the middle of it."""
    samples = np.sin(np.arange(SECONDS * 2_000) / 9).astype(np.float32) / 2
    path = tmp_path / "long.flac"
    path.write_bytes(encode(samples, 8_000, audio_format="flac"))
    async with running(processes=1) as pool:
        job = asyncio.create_task(pool.decode(path, max_seconds=SECONDS, deadline=60))
        send(pool, await busy_pid(pool), signal.SIGKILL)
        audio = await job
    assert audio.duration == pytest.approx(SECONDS / 4, abs=0.1)
    assert not audio.truncated


async def test_a_decoder_killed_once_costs_nobody_anything(long_file):
    async with running(processes=1) as pool:
        task = decode(pool, long_file)
        send(pool, await busy_pid(pool), signal.SIGKILL)
        assert (await task).duration == SECONDS
        assert pool.decoders_lost == 1
        assert (await decode(pool, long_file)).duration == SECONDS


async def test_a_file_that_kills_every_decoder_is_damaged_and_the_next_is_served(long_file):
    async with running(processes=1) as pool:
        task = decode(pool, long_file)
        killed: tuple[int, ...] = ()
        while not task.done():
            for pid in set(pool.busy_pids) - set(killed):
                await asyncio.sleep(0.05)  # into its work
                send(pool, pid, signal.SIGSEGV)
                killed = (*killed, pid)
            await asyncio.sleep(0.002)
        with pytest.raises(DamagedAudio):
            await task
        assert pool.decoders_lost >= 2
        assert (await decode(pool, long_file)).duration == SECONDS


async def test_a_decoder_that_hangs_is_killed_and_replaced(long_file):
    async with running(processes=1, stall_timeout_s=2.0) as pool:
        task = decode(pool, long_file)
        stopped = await busy_pid(pool)
        send(pool, stopped, signal.SIGSTOP)
        assert (await task).duration == SECONDS
        assert gone(stopped)


async def test_decoding_may_take_only_so_long(long_file):
    async with running(processes=1, timeout_s=0.05) as pool:
        with pytest.raises(DamagedAudio, match="too long"):
            await decode(pool, long_file)
    async with running(processes=1) as pool:
        with pytest.raises(DeadlineExceeded):
            await decode(pool, long_file, deadline=0.05)
        await eventually(lambda: len(pool.pids) == 1 and not pool.busy_pids)


async def test_a_caller_that_goes_away_frees_its_decoder(long_file):
    async with running(processes=1) as pool:
        task = decode(pool, long_file)
        pid = await busy_pid(pool)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: gone(pid))
        assert (await decode(pool, long_file)).duration == SECONDS


async def test_idle_decoders_and_the_nursery_may_die_too(long_file):
    async with running(processes=2) as pool:
        for pid in pool.pids:
            send(pool, pid, signal.SIGKILL)
        assert (await decode(pool, long_file)).duration == SECONDS
        nursery = pool.nursery_pid
        old = pool.pids
        send(pool, nursery, signal.SIGKILL)
        await eventually(lambda: all(map(gone, old)))
        results = await asyncio.gather(*(decode(pool, long_file) for _ in range(4)))
        assert [audio.duration for audio in results] == [SECONDS] * 4
        assert pool.nursery_pid != nursery


async def test_who_replenishes_after_the_nursery_died_loses_no_decoder():
    async with running(processes=2) as pool:
        steady = open_descriptors()
        stream = await pool.open_stream()
        old = pool.pids
        send(pool, pool.nursery_pid, signal.SIGKILL)
        await eventually(lambda: all(map(gone, old)))
        await stream.close()  # the first to find it dead is the one that forks in the background
        await eventually(lambda: len(pool.pids) == 2)
        assert open_descriptors() == steady


async def test_nothing_is_left_open_or_running(long_file, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt ")
    before = open_descriptors()
    async with running(processes=2, spool_dir=tmp_path) as pool:
        nursery = pool.nursery_pid
        steady = open_descriptors()
        for _ in range(4):
            cancelled = decode(pool, long_file)
            await asyncio.sleep(0.01)
            cancelled.cancel()
            results = await asyncio.gather(
                cancelled, decode(pool, broken), decode(pool, long_file), return_exceptions=True
            )
            assert isinstance(results[1], DamagedAudio)
            assert results[2].duration == SECONDS
            del results
        await eventually(lambda: len(pool.pids) == 2 and open_descriptors() == steady)
        pids = pool.pids
    assert all(map(gone, (*pids, nursery)))
    assert open_descriptors() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.wav", "long.wav"]


async def test_stopping_ends_work_in_flight(long_file):
    pool = DecoderPool(DecoderConfig(processes=1))
    await pool.start()
    task = decode(pool, long_file)
    await busy_pid(pool)
    await pool.stop()
    with pytest.raises(ShuttingDown):
        await task
    assert pool.pids == ()


async def test_stopping_is_no_cancellation_of_who_ends_a_decoder_at_that_moment(long_file):
    async with running(processes=1) as pool:
        stream = await pool.open_stream()
        closing = asyncio.create_task(stream.close())
        leaving = decode(pool, long_file)
        await busy_pid(pool)
        leaving.cancel()
        await asyncio.sleep(0)  # both are on their way to see a decoder end
        await pool.stop()
        await closing
        with pytest.raises(asyncio.CancelledError):  # its own
            await leaving
    assert pool.busy_pids == ()


async def test_stopping_frees_who_waits_for_a_nursery_that_hangs(long_file):
    async with running(processes=1) as pool:
        nursery = pool.nursery_pid
        os.kill(nursery, signal.SIGSTOP)
        streams = [await pool.open_stream()]  # the one that was ready
        waiting = [asyncio.create_task(pool.open_stream()), decode(pool, long_file)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(30):
            await pool.stop()
            for task in waiting:
                with pytest.raises(ShuttingDown):
                    await task
        await streams[0].close()
    assert gone(nursery)
    assert pool.nursery_pid is None


async def test_uvloop_serves_as_well(long_file):
    script = f"""
import asyncio, uvloop
from pathlib import Path
from speech_translator.media import DecoderPool
async def main():
    pool = DecoderPool()
    await pool.start()
    path = Path({str(long_file)!r})
    jobs = [pool.decode(path, max_seconds=9999, deadline=60) for _ in range(3)]
    print([audio.duration for audio in await asyncio.gather(*jobs)])
    await pool.stop()
uvloop.run(main())
"""
    result = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert result.stdout.strip() == str([float(SECONDS)] * 3), result.stderr


async def test_decoders_die_with_the_service_however_it_dies():
    script = """
import asyncio, os
from speech_translator.media import DecoderPool
async def main():
    pool = DecoderPool()
    await pool.start()
    print(pool.nursery_pid, *pool.pids, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    result = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    pids = [int(pid) for pid in result.stdout.split()]
    assert len(pids) == 3
    await eventually(lambda: all(map(gone, pids)))


async def test_a_full_spool_is_ours_to_tell(tmp_path, monkeypatch):
    path = tmp_path / "file.wav"
    path.write_bytes(wav(np.zeros(160_000, "<i2").tobytes()))
    monkeypatch.setattr(
        "speech_translator.media.decoder.tempfile.TemporaryFile",
        lambda **_options: Path("/dev/full").open("r+b", buffering=0),  # noqa: SIM115 - the pool closes it
    )
    async with running(processes=1) as pool:
        with pytest.raises(Overloaded):
            await decode(pool, path)
