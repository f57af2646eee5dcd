"""Files that are damaged at the start: the service says what is wrong and what to do, or mends."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from speech_translator.engines.whisper import BASE_FILES, base_directory
from speech_translator.settings import Settings
from tests.support.server import ROOT, start_server

ENDS_S = 60


def start_that_fails(environment: dict[str, str]) -> tuple[int, str]:
    """Status and output of a start that ends by itself."""
    ended = subprocess.run(
        [sys.executable, "rest_api_v2.py"],
        cwd=ROOT,
        env={**os.environ, "HOST": "127.0.0.1", "PORT": "0", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=ENDS_S,
        check=False,
    )
    return ended.returncode, ended.stdout.decode(errors="replace")


def damaged(tmp_path: Path, first: int) -> Path:
    """A database of the service of which some bytes from ``first`` on were overwritten."""
    with start_server({"DATA_DIR": str(tmp_path), "TRANSCRIBERS": "[]"}, ready=False):
        pass
    file = tmp_path / "speech-translator.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[first : first + 2000] = b"\xa5" * 2000
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("first", [0, 4096])
def test_a_damaged_database_is_told_with_what_to_do(tmp_path: Path, first: int) -> None:
    file = damaged(tmp_path, first)
    before = file.read_bytes()
    status, output = start_that_fails({"DATA_DIR": str(tmp_path)})
    assert status not in {0, -9}
    assert "Traceback" not in output
    assert f"The database {file} is damaged." in output
    assert "move it away" in output
    assert file.read_bytes() == before, "nothing is thrown away by itself"


def test_a_damaged_model_is_mended_from_its_packages(tmp_path: Path) -> None:
    models = base_directory(tmp_path / "models")
    kept = base_directory(Settings().models_dir)
    shutil.copytree(kept, models)
    weights = models / BASE_FILES[0].name
    with weights.open("r+b") as file:
        file.truncate(1000)
    environment = {"CACHE_DIR": str(tmp_path), "SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}
    with start_server(environment) as server:
        assert server.readiness[-1] == 200
    assert weights.stat().st_size == BASE_FILES[0].size
