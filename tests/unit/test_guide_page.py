"""The integration guide's code without running it, and what its tests rely on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.guide import Section, changed, commands, sections
from tests.support.server import ROOT

PAGE = (ROOT / "docs" / "INTEGRATION_GUIDE.md").read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
EXAMPLES = ROOT / "examples"
WHOLE_SERVICE = "Mount the whole service"


def states() -> Iterator[tuple[str, str]]:
    """``app.py`` after each section that changes it."""
    app = (EXAMPLES / "plain_translator" / "app.py").read_text()
    for section in SECTIONS:
        before = app
        for block in section.blocks:
            if block.language == "diff":
                app = changed(app, block.text)
        if app != before:
            yield section.title, app


STATES = dict(states())


def files(section: Section) -> Iterator[tuple[str, str]]:
    for block in section.blocks:
        if block.language in {"python", "toml"}:
            name, _, content = block.text.removeprefix("# ").partition("\n")
            yield name, content.lstrip("\n")


def test_the_page_begins_and_ends_with_the_examples() -> None:
    assert dict(files(SECTIONS[0]))["app.py"] == (EXAMPLES / "plain_translator/app.py").read_text()
    *_, last = STATES.values()
    written = {name: text for section in SECTIONS for name, text in files(section)}
    for name, text in {"app.py": last, "tiers.toml": written["tiers.toml"]}.items():
        assert text == (EXAMPLES / "protected_translator" / name).read_text()


@pytest.mark.parametrize("title", STATES)
def test_each_state_is_as_tidy_as_the_rest(title: str) -> None:
    ruff = [Path(sys.executable).with_name("ruff")]
    options = ["--stdin-filename", EXAMPLES / "protected_translator" / "app.py", "-"]
    for check in (["check", "--quiet", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [*ruff, *check, *options],
            input=STATES[title],
            text=True,
            capture_output=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def imported(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_nothing_of_our_api_is_needed() -> None:
    codes = [*STATES.values()]
    for section in SECTIONS:
        if section.title != WHOLE_SERVICE:
            codes += [text for name, text in files(section) if name.endswith(".py")]
    assert len(codes) > len(STATES)
    for code in codes:
        assert not [name for name in imported(code) if name.startswith("speech_translator.api")]


def test_the_parts_that_it_names_are_there() -> None:
    named = re.findall(r"^\| `(\w+/\w+\.py)`", PAGE, re.MULTILINE)
    assert named
    for name in named:
        assert (ROOT / "speech_translator" / name).is_file(), name


def test_a_hunk_must_fit_in_one_place() -> None:
    assert changed("a\nb\n\nc\n", "@@\n a\n-b\n+x\n\n@@\n c\n+d\n") == "a\nx\n\nc\nd\n"
    for text in ("a\nc\n", "a\nb\na\nb\n"):
        with pytest.raises(AssertionError, match="must stand there once"):
            changed(text, "@@\n a\n-b\n")


def test_commands_are_told_from_what_they_say() -> None:
    block = "$ one \\\n>   more\nsaid\n$ two\n$ three\n> said 'x\n> y'\n  z\n"
    assert [*commands(block)] == [
        ("one \\\n  more\n", "said\n"),
        ("two\n", ""),
        ("three\nsaid 'x\ny'\n", "  z\n"),
    ]
