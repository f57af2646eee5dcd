"""Addresses that are taken or not ours, and what is said of them."""

import json
import socket

import pytest

from speech_translator.api.program import main
from speech_translator.api.server import listen
from speech_translator.cli import checks
from speech_translator.errors import ConfigurationError
from speech_translator.settings import Settings
from tests.support.cli import CommandLine


def test_an_address_that_is_not_ours_is_a_matter_of_configuration():
    with pytest.raises(ConfigurationError) as raised:
        listen("192.0.2.1", 0)
    assert "192.0.2.1" in raised.value.message
    assert "HOST and PORT" in raised.value.message


def test_a_start_with_an_address_that_is_not_ours_is_told_in_a_line(monkeypatch, capsys):
    monkeypatch.setenv("HOST", "192.0.2.1")
    monkeypatch.setattr("speech_translator.api.server.start_logging", lambda _settings: None)
    assert main() == 5
    error = capsys.readouterr().err
    assert "Cannot listen on 192.0.2.1" in error
    assert "Traceback" not in error


def test_doctor_as_json_and_its_exit_code(tmp_path):
    cli = CommandLine()
    cli.settings |= {"cache_dir": tmp_path / "cache", "port": 0}
    done = cli("doctor", "--json")
    found = json.loads(done.stdout)
    assert {"python", "packages", "cache", "memory", "cores"} <= {c["name"] for c in found}
    (tmp_path / "file").write_text("")
    cli.settings["cache_dir"] = tmp_path / "file"
    done = cli("doctor")
    assert done.exit_code == 5
    assert "-> set CACHE_DIR" in done.stdout


def test_an_address_that_is_taken_is_told(tmp_path):
    settings = Settings(cache_dir=tmp_path / "cache", port=0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = settings.model_copy(update={"port": taken.getsockname()[1]})
        assert checks.address_check(busy).verdict == "warning"
    assert checks.address_check(settings).verdict == "ok"
