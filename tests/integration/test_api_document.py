"""The examples of `docs/API.md`, asked in the order of the page, are answered as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ROOT, Server, start_server

PAGE = ROOT / "docs" / "API.md"
SCRIPTED = ("-m", "tests.support.scripted_service")
_EXAMPLE = re.compile(
    r"```bash\n(?P<command>.*?)```\n(?:\n```json\n(?P<answer>.*?)```)?", re.DOTALL
)
MORE = "..."


def examples() -> list[tuple[str, Any]]:
    """Commands with their answers; None where none is shown."""
    return [
        (found["command"].strip(), json.loads(found["answer"]) if found["answer"] else None)
        for found in _EXAMPLE.finditer(PAGE.read_text())
    ]


def administrators_key(data: Path) -> str:
    """Made by the command line, as an operator does."""
    program = "from speech_translator.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "keys", "create", "root", "--tier", "admin"],
        env={**os.environ, "DATA_DIR": str(data)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()[-1]


def ask(command: str, folder: Path) -> str:
    """What curl gets; an error is an answer, too."""
    quiet = command.replace("curl ", "curl --silent --show-error --max-time 30 ", 1)
    done = subprocess.run(
        ["bash", "-c", quiet], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def compare(shown: Any, given: Any, place: str) -> None:
    """The same shape: fields, and kinds of values. ``...`` stands for what is not shown."""
    if isinstance(shown, dict):
        assert isinstance(given, dict), place
        hidden = set(given) - set(shown) if MORE in shown else set()
        assert set(shown) - {MORE} == set(given) - hidden, place
        for name in set(shown) - {MORE}:
            compare(shown[name], given[name], f"{place}.{name}")
    elif isinstance(shown, list):
        assert isinstance(given, list), place
        for value in given[:1] if shown else []:
            compare(shown[0], value, f"{place}[0]")
    elif shown is None or given is None:
        return  # as "revoked_at" is, for some
    elif isinstance(shown, bool) or isinstance(given, bool):
        assert isinstance(shown, bool) is isinstance(given, bool), place
    elif isinstance(shown, int | float):
        assert isinstance(given, int | float), place
    else:
        assert isinstance(given, str), place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands run: there is a recording."""
    (tmp_path / "talk.wav").write_bytes(b"RIFF....WAVE")
    return tmp_path


def filled(command: str, server: Server, words: dict[str, str]) -> str:
    """A command of the page, asked of this service with these words for what stands for others."""
    command = command.replace("http://localhost:8000", server.url)
    return re.sub(r"\b(?:YOUR_KEY|ADMIN_KEY|KEY_ID|TOKEN)\b", lambda one: words[one[0]], command)


def test_the_examples_are_answered_as_the_page_says(folder: Path) -> None:
    found = examples()
    assert len(found) > 20
    with start_server({"DATA_DIR": str(folder / "data")}, arguments=SCRIPTED) as server:
        words = {"ADMIN_KEY": administrators_key(folder / "data")}
        make_key = next(command for command, _ in found if "POST" in command and '"ada"' in command)
        words["YOUR_KEY"] = json.loads(ask(filled(make_key, server, words), folder))["api_key"]
        for command, shown in found:
            answer = ask(filled(command, server, words), folder)
            if shown is None:
                assert "urn:speech-translator:error" not in answer, (command, answer)
                continue
            given = json.loads(answer)
            compare(shown, given, command)
            if isinstance(given, dict):
                words["KEY_ID"] = given.get("key_id") or words.get("KEY_ID", "")
                words["TOKEN"] = given.get("access_token") or words.get("TOKEN", "")
