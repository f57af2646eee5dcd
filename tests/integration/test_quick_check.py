"""The quick check of the README, word for word, against a fresh development start."""

from __future__ import annotations

import json
import re
import subprocess

from tests.support.server import ROOT, start_server

LINES = 4


def commands() -> list[str]:
    """The first block of the README's section, a command each."""
    section = (ROOT / "README.md").read_text().partition("\n## Try\n")[2]
    block = section.partition("```bash\n")[2].partition("```")[0]
    return re.sub(r"\\\n\s*", " ", block).splitlines()


def run(command: str) -> str:
    """Its output; a failure of curl, or an error's status, fails the test."""
    done = subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_the_quick_check_works_word_for_word() -> None:
    assert len(commands()) == LINES
    only_text = {"TRANSCRIBERS": "[]", "SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]"}
    with start_server(only_text) as server:
        port = server.url.rpartition(":")[2]
        health, key, translation, metrics = (c.replace(":8000", f":{port}") for c in commands())
        assert json.loads(run(health))["overall_status"] == "healthy"
        made = json.loads(run(key))
        assert made["tier"] == "pro"
        answer = json.loads(run(translation.replace("YOUR_KEY", made["api_key"])))
        assert answer["translation"] == "Salut"
        assert answer["target_language"] == "fr"
        assert answer["route"][0].startswith("apertium:en-")
        assert "# HELP" in run(metrics)
        assert made["api_key"] not in server.log()
