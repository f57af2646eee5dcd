"""What is said at the start, and what is said when it cannot start."""

from types import SimpleNamespace

import pytest

from speech_translator.api.banner import engine_lines, listening_lines
from speech_translator.api.program import main
from speech_translator.api.server import listen
from speech_translator.errors import ConfigurationError

URL = "http://127.0.0.1:8000"


def test_the_banner_says_where_and_what_and_how_to_add_what_is_missing():
    assert URL in listening_lines(URL)[0]
    states = {
        "bergamot": SimpleNamespace(state="ready", message=""),
        "kokoro": SimpleNamespace(state="missing", message="No voices. Run: make voices"),
    }
    tasks = {"bergamot": "translation", "kokoro": "synthesis", "espeak": "synthesis"}
    text = "\n".join(engine_lines(URL, tasks, states))
    assert "+ bergamot" in text
    assert "- kokoro" in text
    assert "Run: make voices" in text
    assert "- espeak" in text
    assert f"curl {URL}/translate/text -d '{{" in text


def test_an_address_that_is_not_ours_is_a_matter_of_configuration():
    with pytest.raises(ConfigurationError) as raised:
        listen("192.0.2.1", 0)
    assert "192.0.2.1" in raised.value.message
    assert "HOST and PORT" in raised.value.message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "eighty", "PORT: "),
        ("TRANSLATORS", '["nosuch"]', "There is no engine 'nosuch'"),
        ("TRUSTED_HOSTS", "example.org", "TRUSTED_HOSTS must be a list, written as JSON"),
        ("HOST", "192.0.2.1", "Cannot listen on 192.0.2.1"),
    ],
)
def test_wrong_settings_are_told_in_a_line(monkeypatch, capsys, name, value, said):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("speech_translator.api.server.start_logging", lambda _settings: None)
    assert main() == 5
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    if name in {"PORT", "TRUSTED_HOSTS"}:
        assert value not in error
