"""Runs the benchmarks: one runnable file for each claim in ``benchmarks/``.

Each runs in a process of its own, one after the other, since they share the machine's cores. Names
given as arguments pick some. Proofs (``fuzz_*``, ``guards``) are left out: they measure nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
NOT_BENCHMARKS = ("_", "fuzz_", "guards", "quality_table")


def find(names: Sequence[str], folder: Path = FOLDER) -> list[Path]:
    """The benchmarks to run, by name; those with a ``__main__`` part. Raises ``LookupError``."""
    runnable = {
        path.stem: path
        for path in sorted(folder.glob("*.py"))
        if not path.name.startswith(NOT_BENCHMARKS) and "__main__" in path.read_text("utf-8")
    }
    unknown = [name for name in names if name not in runnable]
    if unknown:
        raise LookupError(f"No such benchmark: {', '.join(unknown)}. There are: {[*runnable]}")
    return [runnable[name] for name in names] if names else list(runnable.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="benchmarks to run; all by default")
    options = parser.parse_args(arguments)
    failed = []
    for path in find(options.names):
        print(f"==> {path.name}", file=sys.stderr, flush=True)  # noqa: T201
        command = [sys.executable, "-m", f"benchmarks.{path.stem}"]
        # our own programs
        done = subprocess.run(command, check=False, cwd=ROOT)  # noqa: S603 # nosec B603
        if done.returncode != 0:
            failed.append(path.name)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
