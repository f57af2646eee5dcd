"""Runs the benchmarks: one runnable file for each claim in ``benchmarks/``.

Each runs in a process of its own, one after the other, since they share the machine's cores. Names
given as arguments, or patterns such as ``live_*``, pick some, and ``--without`` leaves some out.
Proofs (``fuzz_*``, ``guards``) are left out: they measure nothing.
"""

from __future__ import annotations

import argparse
import fnmatch
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "benchmarks"
NOT_BENCHMARKS = ("_", "fuzz_", "guards", "quality_table")


def find(names: Sequence[str], without: Sequence[str] = (), folder: Path = FOLDER) -> list[Path]:
    """The benchmarks to run; those with a ``__main__`` part.

    Args:
        names: of benchmarks, or patterns of them; all where there is none.
        without: names or patterns of those to leave out.
        folder: where they are.

    Raises:
        LookupError: there is none of that name or pattern.
    """
    runnable = {
        path.stem: path
        for path in sorted(folder.glob("*.py"))
        if not path.name.startswith(NOT_BENCHMARKS) and "__main__" in path.read_text("utf-8")
    }
    picked = {name: fnmatch.filter(runnable, name) for name in (*names, *without)}
    unknown = [name for name, found in picked.items() if not found]
    if unknown:
        raise LookupError(f"No such benchmark: {', '.join(unknown)}. There are: {[*runnable]}")
    wanted = dict.fromkeys(found for name in names for found in picked[name]) or runnable
    left_out = {found for name in without for found in picked[name]}
    return [runnable[name] for name in wanted if name not in left_out]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="benchmarks to run; all by default")
    parser.add_argument("--without", nargs="+", default=[], help="benchmarks to leave out")
    options = parser.parse_args(arguments)
    failed = []
    for path in find(options.names, options.without):
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
