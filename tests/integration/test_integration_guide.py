"""The integration guide, done word for word, outside this tree and with what pip installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.prepare import pinned
from tests.support.guide import Section, Walk, sections
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import redis_server
from tests.support.server import ROOT

PAGE = (ROOT / "docs" / "INTEGRATION_GUIDE.md").read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
CHECKOUT = (
    *("pyproject.toml", "README.md", "LICENSE", "requirements-production.txt"),
    "rest_api_v2.py",
)
WHERE = "python -c 'import speech_translator; print(speech_translator.__file__)'"
PLACES = {
    "Bring the parts in": "venv/lib/python",
    "Copy the package instead": "project/speech_translator/",
}
"""Where the package is after a section."""


class Reader:
    """Goes through the page; each section needs those before it."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.done: list[str] = []

    def reach(self, section: Section) -> None:
        """Do everything as far as the end of a section."""
        for one in SECTIONS:
            if one.title not in self.done:
                self.done.append(one.title)
                self.walk.follow(one)
            if one.title == section.title:
                return


def environment_of(folder: Path) -> dict[str, str]:
    """A virtual environment of the reader's own, which finds the libraries that are installed here.

    They stand in for the index that ``pip`` would ask: the package itself is not among them.
    """
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "libraries.pth").write_text(f"{ours}\n")
    environment = {
        "PATH": f"{venv / 'bin'}:{os.defpath}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip wants to be told that there is none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    with pinned("setuptools") as locked:
        uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--offline", "--quiet"]
        subprocess.run(
            [*uv, "--python", venv / "bin" / "python", "--require-hashes", "-r", locked], check=True
        )
    return environment


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody with an empty folder, a checkout in it, and the servers that the page speaks of."""
    folder = tmp_path_factory.mktemp("guide")
    project = folder / "project"
    checkout = project / "speech-translator"
    shutil.copytree(
        ROOT / "speech_translator",
        checkout / "speech_translator",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in CHECKOUT:
        shutil.copy(ROOT / name, checkout)
    with postgres_server() as postgres, redis_server() as redis:
        replaced = {
            "postgresql://db.example/accounts": f"'{postgres.create('accounts')}'",
            "redis://localhost:6379/0": f"unix://{redis.socket}",
        }
        walk = Walk(project, environment_of(folder), replaced)
        try:
            yield Reader(walk)
        finally:
            walk.stop()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_the_guide_works_word_for_word(reader: Reader, section: Section) -> None:
    reader.reach(section)
    if section.title in PLACES:
        assert f"{reader.walk.folder.parent}/{PLACES[section.title]}" in reader.walk.run(WHERE)
