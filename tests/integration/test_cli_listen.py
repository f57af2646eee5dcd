"""``listen`` over a running service: lines that are cut, a wrong key, a microphone and Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.integration.test_live_resume import cutting
from tests.support.server import start_server

COMMAND = (sys.executable, "-m", "speech_translator.cli", "listen")
SCRIPTED = ("-m", "tests.support.scripted_service")
SPEECH = np.full(12_800, 8_000, "<i2").tobytes()
PAUSE = bytes(2 * 16_000)
BYTES_PER_S = 32_000


async def started(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


async def finish(process: asyncio.subprocess.Process, pcm: bytes, pace: float = 0) -> Any:
    """Say everything; output, errors and status."""
    assert process.stdin
    for at in range(0, len(pcm), BYTES_PER_S // 10):
        process.stdin.write(pcm[at : at + BYTES_PER_S // 10])
        await process.stdin.drain()
        if pace:
            await asyncio.sleep(0.1 / pace)
    process.stdin.close()
    async with asyncio.timeout(60):
        out, errors = await process.communicate()
    return out.decode().splitlines(), errors.decode(), process.returncode


async def test_a_line_that_is_cut_again_and_again_shows_every_caption_once(
    tmp_path: Path,
) -> None:
    with start_server(arguments=SCRIPTED) as server:
        async with cutting(server, (0.7, 2.5)) as address:
            place = tmp_path / "talk.txt"
            process = await started(
                *("-", "--source", "en", "--to", "pt", "--save", str(place)),
                *("--url", address.replace("ws://", "http://")),
                LISTEN_API_KEY=server.headers["X-API-Key"],
            )
            lines, errors, status = await finish(process, (SPEECH + PAUSE) * 8, pace=2)
    assert status == 0, errors
    assert lines == ["en: Hello there.", "pt: pt:Hello there."] * 8
    assert "The connection was lost" in errors
    assert "Traceback" not in errors
    assert place.read_text() == "Hello there.\n" * 8


async def test_a_key_that_is_not_valid_is_said() -> None:
    with start_server(arguments=SCRIPTED) as server:
        process = await started("-", "--url", server.url, "--key", "st_no_such_key")
        _, errors, status = await finish(process, SPEECH)
        assert status == 3
        assert "key" in errors
    process = await started("-", "--url", server.url)
    _, errors, status = await finish(process, SPEECH)
    assert status == 4
    assert "cannot be reached" in errors
    assert "Traceback" not in errors


async def test_ctrl_c_ends_a_microphone(tmp_path: Path) -> None:
    (tmp_path / "sound").write_bytes(SPEECH + PAUSE)
    recorder = tmp_path / "arecord"
    recorder.write_text(f"#!/bin/sh\ncat {tmp_path}/sound\necho $@ >&2\nexec sleep 60\n")
    recorder.chmod(0o755)
    with start_server(arguments=SCRIPTED) as server:
        process = await started(
            *("--source", "en", "--device", "hw:1", "--url", server.url),
            PATH=f"{tmp_path}:{os.environ['PATH']}",
            LISTEN_API_KEY=server.headers["X-API-Key"],
        )
        assert process.stdout
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"Hello there.\n"
        process.send_signal(signal.SIGINT)
        lines, errors, status = await finish(process, b"")
    assert lines == []
    assert status == 0, errors
    assert errors == ""
