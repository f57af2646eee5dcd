"""A copy of the tree to plant faults in, and the targets of ``make check`` to run on it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("Makefile", "pyproject.toml", "LICENSE", "README.md")
IGNORED = shutil.ignore_patterns("__pycache__", "*.html", "*.js", "*.css", "*.svg")


class Tree:
    """A copy of what the checks look at. ``make`` runs one of its targets, with our tools."""

    def __init__(self, root):
        self.root = root

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def replace(self, name, old, new):
        content = (self.root / name).read_text(encoding="utf-8")
        assert old in content
        self.write(name, content.replace(old, new, 1))

    def make(self, target):
        """Exit status and output of a target; the environment is not prepared again."""
        tools = Path(sys.prefix) / "bin"
        done = subprocess.run(
            ["make", "-C", self.root, "-o", "develop", target, f"BIN={tools}"],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr


def copy(root):
    for name in FILES:
        shutil.copy(ROOT / name, root)
    for lock in ROOT.glob("requirements-*.txt"):
        shutil.copy(lock, root)
    (root / "scripts").mkdir()
    for script in ("check_tree", "locks", "prepare", "advisories"):
        shutil.copy(ROOT / "scripts" / f"{script}.py", root / "scripts")
    shutil.copy(ROOT / "scripts" / "advisories.json", root / "scripts")
    return Tree(root)


@pytest.fixture
def whole_tree(tmp_path):
    """Every module of the product."""
    tree = copy(tmp_path)
    shutil.copytree(ROOT / "speech_translator", tmp_path / "speech_translator", ignore=IGNORED)
    return tree


@pytest.fixture
def small_tree(tmp_path):
    """A few modules: enough for checks that look at one file at a time."""
    tree = copy(tmp_path)
    for name in ("__init__.py", "errors.py", "py.typed"):
        (tmp_path / "speech_translator").mkdir(exist_ok=True)
        shutil.copy(ROOT / "speech_translator" / name, tmp_path / "speech_translator")
    return tree
