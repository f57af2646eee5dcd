"""Weights under several processes, and under one that is killed while it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speech_translator.engines import whisper
from speech_translator.engines.weights import is_stamped, verify

INSTALL = """
import sys
from pathlib import Path
from speech_translator.engines import whisper
print(whisper.install(Path(sys.argv[1])))
"""

# Stops for good behind the first block of the first file, with the lock held.
INSTALL_HALF = """
import sys, time
from pathlib import Path
from speech_translator.engines import weights, whisper
class Stuck:
    blocks = 0
    def update(self, block):
        self.blocks += 1
        if self.blocks == 3:
            print("writing", flush=True)
            time.sleep(600)
weights.hashlib.sha256 = Stuck
whisper.install(Path(sys.argv[1]))
"""


def start(code: str, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(directory)], stdout=subprocess.PIPE, text=True
    )


def check_complete(models: Path) -> None:
    directory = whisper.base_directory(models)
    for file in whisper.BASE_FILES:
        verify(directory / file.name, file.sha256, file.size)
        assert is_stamped(directory / file.name, file.sha256, file.size)
    expected = {
        name
        for file in whisper.BASE_FILES
        for name in (file.name, f".{file.name}.lock", f".{file.name}.verified")
    }
    assert {path.name for path in directory.iterdir()} == expected


def test_processes_that_start_at_once_all_find_the_whole_model(tmp_path) -> None:
    children = [start(INSTALL, tmp_path) for _ in range(3)]
    outputs = [child.communicate(timeout=60)[0].strip() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert set(outputs) == {str(whisper.base_directory(tmp_path))}
    check_complete(tmp_path)


def test_a_process_killed_while_it_writes_neither_wedges_nor_damages(tmp_path) -> None:
    child = start(INSTALL_HALF, tmp_path)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "writing"
        directory = whisper.base_directory(tmp_path)
        assert (directory / ".model.bin.partial").stat().st_size > 0
        assert not (directory / "model.bin").exists(), "a half-written file is visible"
        waiting = start(INSTALL, tmp_path)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=1.5)  # the lock is held
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    begun = time.monotonic()
    assert waiting.communicate(timeout=60)[0].strip() == str(directory)
    assert waiting.returncode == 0
    assert time.monotonic() - begun < 50, "the lock outlived its holder"
    check_complete(tmp_path)
