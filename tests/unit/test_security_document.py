"""docs/SECURITY.md names what there is, and each row of it can be proven by `benchmarks.guards`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache

import pytest

from benchmarks.guards import ROOT, removals

PAGE = (ROOT / "docs" / "SECURITY.md").read_text(encoding="utf-8")
CHAPTERS = {f"V{number}" for number in range(2, 15)}
FAILS = ("closed", "open")
_ROW = re.compile(r"^\| ((?:API|V)\d+)([a-z]) \|(.*)\|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"(?:benchmarks|docs|scripts|speech_translator|tests)/[\w/.-]+\.\w+")


@dataclass(frozen=True)
class Row:
    chapter: str
    files: frozenset[str]
    fails: str
    tests: frozenset[str]


def rows():
    found = {}
    for chapter, letter, rest in _ROW.findall(PAGE):
        _, where, fails, proof = (cell.strip() for cell in rest.split(" | "))
        assert f"{chapter}{letter}" not in found, "a row stands twice"
        files, tests = frozenset(_CODE.findall(where)), frozenset(_CODE.findall(proof))
        found[f"{chapter}{letter}"] = Row(chapter, files, fails, tests)
    return found


ROWS = rows()
REMOVALS = removals()


@cache
def functions_in(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_risk_and_chapter_has_a_row():
    assert {row.chapter for row in ROWS.values()} == {
        *(f"API{number}" for number in range(1, 11)),
        *CHAPTERS,
    }
    for number in range(1, 11):
        assert f"| **API{number}:2023** |" in PAGE


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_files_and_tests_that_there_are_and_says_how_it_fails(name):
    row = ROWS[name]
    assert row.files
    assert row.tests
    assert row.fails.startswith(FAILS)
    for file in row.files:
        assert (ROOT / file).is_file(), file
    for test in row.tests:
        path, _, function = test.partition("::")
        assert function in functions_in(path), test


def test_every_path_on_the_page_is_there():
    for path in set(_PATH.findall(PAGE)):
        assert (ROOT / path).exists(), path


def test_every_setting_on_the_page_is_one():
    from speech_translator.settings import Settings

    known = {name.upper() for name in Settings.model_fields}
    named = {word for word in _CODE.findall(PAGE) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", word)}
    assert named - known == set()


def test_rows_and_removals_are_the_same():
    by_row = {name: [one for one in REMOVALS if one.row == name] for name in ROWS}
    assert {one.row for one in REMOVALS} == set(ROWS)
    for name, row in ROWS.items():
        assert {test for one in by_row[name] for test in one.tests} == row.tests, name
        assert {one.file for one in by_row[name]} == row.files, name


@pytest.mark.parametrize("one", REMOVALS, ids=lambda one: f"{one.row}-{one.file}")
def test_a_guard_is_there_once_and_what_is_left_without_it_is_a_program(one):
    before = (ROOT / one.file).read_text(encoding="utf-8")
    after = one.applied(before)
    assert after != before
    if one.file.endswith(".py"):
        compile(after, one.file, "exec")
