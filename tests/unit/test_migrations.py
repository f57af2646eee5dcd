"""Migrations form one line, each named by its number."""

import re
from pathlib import Path

from speech_translator.storage import migrate

VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"


def test_migrations_form_one_line():
    steps = []
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        text = path.read_text(encoding="utf-8")
        revision, before = re.findall(r'^(?:down_)?revision = (?:"(.*)"|None)$', text, re.MULTILINE)
        steps.append((path.name[:4], revision, before))
    numbers = [f"{number:04}" for number in range(1, len(steps) + 1)]
    assert steps == list(zip(numbers, numbers, ["", *numbers[:-1]], strict=True))
