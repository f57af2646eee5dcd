"""docs/RELIABILITY.md names tests, settings, metrics and log lines that there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from speech_translator.settings import Settings
from tests.support.api import running
from tests.support.server import ROOT

PAGE = re.sub(
    r"^```.*?^```$",
    "",
    (ROOT / "docs" / "RELIABILITY.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)
_CODE = re.compile(r"`([^`]+)`")
_TESTS = sorted({word for word in _CODE.findall(PAGE) if "::" in word})
DEPENDENCIES = (
    *("Engine processes", "Apertium's server", "Decoders", "Remote engines", "Redis", "Database"),
    *("Disk of `DATA_DIR`", "Disk of `SPOOL_DIR`", "Model files", "Model hub", "Clock"),
    *("Memory of the machine", "GPU", "Clients", "A replica"),
)


def table(title: str) -> list[list[str]]:
    """The rows of the table under a heading, cell by cell."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@cache
def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("test", _TESTS)
def test_every_test_on_the_page_is_there(test: str) -> None:
    path, _, function = test.partition("::")
    assert function in functions_in(path)


def test_every_dependency_is_on_it_and_every_cell_has_a_proof_or_says_that_it_has_none() -> None:
    rows = table("What depends on what")
    named = [found[1] for row in rows if (found := re.match(r"\*\*(.+?)\*\*", row[0]))]
    assert tuple(named) == DEPENDENCIES
    for _, when, what, proof in rows:
        assert when
        assert what
        assert "::" in proof or "not tested yet" in proof


def test_every_setting_on_the_page_is_one() -> None:
    known = {name.upper() for name in Settings.model_fields}
    named = {word for word in _CODE.findall(PAGE) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", word)}
    assert named - known == set()


async def test_every_check_and_metric_on_the_page_is_one() -> None:
    async with running(redis_url="unix:///nowhere", health_engine_idle_s=60) as harness:
        checks = (await harness.client.get("/health")).json()["checks"]
        figures = (await harness.client.get("/metrics")).text
    told = {"engine:<name>" if name.startswith("engine:") else name for name in checks}
    on_page = {word for row in table("Health") for word in _CODE.findall(row[0])}
    assert on_page == told
    families = {
        name.removeprefix("speech_translator_").removesuffix("_total")
        for name in re.findall(r"^# TYPE (\w+)", figures, re.MULTILINE)
    }
    for row in table("What is counted, and what is logged"):
        named = set(_CODE.findall(row[1])) - {"overloaded", "draining"}
        assert named <= families, named - families


def test_every_log_line_on_the_page_is_written_somewhere() -> None:
    code = "".join(path.read_text() for path in Path(ROOT, "speech_translator").rglob("*.py"))
    events = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", " ".join(re.findall(r"class (\w+):", code)))
    for row in table("What is counted, and what is logged"):
        for name in set(_CODE.findall(row[2])) - {"error"}:
            assert f'"{name}"' in code or name in events.lower().split(), name
