"""What is said at the start, and what is said when it cannot start."""

from types import SimpleNamespace

import pytest

from speech_translator.api.banner import engine_lines, listening_lines
from speech_translator.api.program import main
from speech_translator.settings import Settings

URL = "http://127.0.0.1:8000"


def test_the_banner_says_where_and_what_and_how_to_add_what_is_missing():
    assert URL in listening_lines(URL)[0]
    states = {
        "bergamot": SimpleNamespace(state="ready", message=""),
        "kokoro": SimpleNamespace(state="missing", message="No voices. Run: make voices"),
    }
    tasks = {"bergamot": "translation", "kokoro": "synthesis", "espeak": "synthesis"}
    text = "\n".join(engine_lines(Settings(), URL, tasks, states))
    assert "+ bergamot" in text
    assert "- kokoro" in text
    assert "Run: make voices" in text
    assert "- espeak" in text
    assert "- apertium   text to text     not installed. Run: make apertium" in text
    assert "apertium" not in "\n".join(engine_lines(Settings(translators=()), URL, tasks, states))
    assert f"curl {URL}/auth/api-key -d '{{" in text
    assert f'curl {URL}/translate/text -H "X-API-Key: YOUR_KEY" -d \'{{' in text


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({"anonymous_tier": "free"}, f"curl {URL}/translate/text -d", "KEY"),
        ({"environment": "production"}, "keys create NAME", "auth/api-key"),
    ],
)
def test_the_banner_says_how_to_get_a_key_where_one_is_needed(changes, said, unsaid):
    text = "\n".join(engine_lines(Settings(**changes), URL, {}, {}))
    assert said in text
    assert unsaid not in text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "eighty", "PORT: "),
        ("TRANSLATORS", '["nosuch"]', "There is no engine 'nosuch'"),
        ("TRUSTED_HOSTS", "example.org", "TRUSTED_HOSTS must be a list, written as JSON"),
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
