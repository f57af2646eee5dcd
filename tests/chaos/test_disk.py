"""Full disks: the data directory and the one for decoded audio, each a small file system."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.chaos.conftest import Pace, Start, client_of, show
from tests.support.traffic import traffic


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system of 192 MiB at ``path``: more than is kept free for uploads."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not one byte is left on it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as path:
        yield path


async def test_a_full_data_directory_costs_no_answer_and_no_usage(
    start: Start, disk: Path, pace: Pace
) -> None:
    with start({"DATA_DIR": str(disk), "TRANSCRIBERS": "[]"}) as server:
        async with traffic(client_of(server), (("text",), ("text", "several"))) as load:
            for _ in range(pace.rounds):
                await asyncio.sleep(pace.pause_s)
                with filled(disk):
                    await asyncio.sleep(3 * pace.pause_s)
            await asyncio.sleep(pace.pause_s)
        show("disk of data", load)
        assert load.bad() == []
        until = time.monotonic() + 30
        async with server.async_client() as client:
            while True:
                found = (await client.get("/usage")).json()["month"]["requests"]
                if found == len(load.outcomes):
                    break
                assert time.monotonic() < until, (found, len(load.outcomes))
                await asyncio.sleep(0.2)


async def test_recordings_that_find_no_room_are_told_so_and_work_again(
    start: Start, disk: Path, pace: Pace
) -> None:
    with start({"SPOOL_DIR": str(disk)}) as server:
        async with traffic(client_of(server), (("recording",), ("text",))) as load:
            await asyncio.sleep(2 * pace.pause_s)
            with filled(disk):
                full = time.monotonic()
                async with asyncio.timeout(60):
                    while not load.bad():  # noqa: ASYNC110 - another process
                        await asyncio.sleep(0.1)
                await asyncio.sleep(3 * pace.pause_s)
            await asyncio.sleep(1)
            free = time.monotonic()
            await asyncio.sleep(2 * pace.pause_s)
        show("disk of sound", load)
        assert {one.kind for one in load.bad()} <= {"recording"}
        assert {one.verdict for one in load.bad()} <= {"unavailable"}
        assert all(one.ended >= full and one.begun <= free for one in load.bad())
        assert load.count(since=free)["right"] > 0
        assert await asyncio.to_thread(os.listdir, disk) == []
