"""Takes each guard of docs/SECURITY.md away and runs the test that must then fail.

Run:  python -m benchmarks.guards [ROW ...]

``guards.toml`` says what text guards each row, and what takes it away. That is done in a copy of
the tree, one guard at a time. Before, all of the tests pass in the copy; then those of each guard
must fail, each of them. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_suffix(".toml")
_FAILED = 1
"""pytest's status where tests failed; others say that they could not be run."""

_TIMEOUT_S = 60
_LEFT_OUT = shutil.ignore_patterns(".*", "node_modules", "shared", "__pycache__")


@dataclass(frozen=True, slots=True)
class Removal:
    """A guard, what takes its place, and the tests that must fail then.

    ``row`` is that of docs/SECURITY.md; ``file`` and ``tests`` begin at the root.
    """

    row: str
    file: str
    guard: str
    instead: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """``text`` without the guard.

        Raises:
            ValueError: it is not there exactly once.
        """
        if text.count(self.guard) != 1:
            raise ValueError(f"{self.row}: {self.file} has {self.guard!r} not exactly once.")
        return text.replace(self.guard, self.instead)


def removals() -> list[Removal]:
    """All that the list has."""
    found = tomllib.loads(LIST.read_text(encoding="utf-8"))["removal"]
    return [Removal(**{**one, "tests": tuple(one["tests"])}) for one in found]


@dataclass(frozen=True, slots=True)
class Run:
    """What pytest said: its status, and the tests that failed."""

    status: int
    failed: frozenset[str]
    output: str


class Copy:
    """A copy of the tree in which tests run."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def run(self, tests: Sequence[str]) -> Run:
        """Run tests; a test with parameters failed where it did with one of them."""
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--no-header", "--tb=no"]
        command += [f"--timeout={_TIMEOUT_S}", *(["-x"] if len(tests) == 1 else []), *tests]
        environment = {**os.environ, "PYTHONPATH": str(self._root)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each run would compile everything
        done = subprocess.run(
            command, cwd=self._root, env=environment, capture_output=True, text=True, check=False
        )
        lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
        failed = {line[1].partition("[")[0] for line in lines if line[0] in {"FAILED", "ERROR"}}
        return Run(done.returncode, frozenset(failed & set(tests)), done.stdout)

    def without(self, removal: Removal) -> Run:
        """Run a removal's tests without its guard, which is put back."""
        path = self._root / removal.file
        before = path.read_text(encoding="utf-8")
        try:
            self._write(path, removal.applied(before))
            return self.run(removal.tests)
        finally:
            self._write(path, before)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # What was compiled is told by its time in seconds and its size: both may be the same.
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="*", help="rows of SECURITY.md; all by default")
    rows = parser.parse_args().rows
    wanted = [one for one in removals() if not rows or one.row in rows]
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "tree"
        shutil.copytree(ROOT, root, ignore=_LEFT_OUT)
        (root / ".venv").symlink_to(ROOT / ".venv")  # commands of their own that tests run
        copy = Copy(root)
        tests = sorted({test for one in wanted for test in one.tests})
        sound = copy.run(tests)
        if sound.status != 0:
            print(f"Not all pass as it is:\n{sound.output}{sound.failed}", file=sys.stderr)
            return 1
        started = time.monotonic()
        survived = []
        for one in wanted:
            found = copy.without(one)
            if found.status != _FAILED or found.failed != set(one.tests):
                survived.append({"row": one.row, "file": one.file, "guard": one.guard})
                print(f"{one.row}: not noticed: {one.guard!r}", file=sys.stderr, flush=True)
    if not rows:
        report.write(
            "guards",
            {
                "rows": len({one.row for one in wanted}),
                "removals": len(wanted),
                "tests": len(tests),
                "noticed": len(wanted) - len(survived),
                "not_noticed": survived,
                "seconds": round(time.monotonic() - started),
            },
        )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
