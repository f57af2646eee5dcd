"""Writes and checks the lock files: ``locks.py compile [--upgrade]`` and ``locks.py check``.

``compile`` asks uv to resolve for every platform at once, with hashes and without addresses, and
puts a digest of the dependency tables it read at the top. ``check`` works offline: the digest must
be that of today's ``pyproject.toml``, every declared requirement must be met by a pin, every pin
must carry a hash, and nothing but pins may stand in a lock: no address of an index, no path of
the machine that compiled it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYTHON_FLOOR = "3.11"
PIN = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9-]*)(\[[a-z0-9,-]+\])?==(?P<version>[^ ;\\]+)"
    r"(?: ; (?P<marker>[^\\]+?))? \\"
)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
UNWANTED = re.compile(r"torch|nvidia-.*|triton|tensorflow")
"""Gigabytes that no engine here needs; they come in through careless dependencies."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file and the tables of ``pyproject.toml`` that it pins."""

    name: str
    base: bool = True
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    within: str | None = None

    def requirements(self, project: Mapping[str, Any]) -> list[str]:
        """What is declared for this lock, as requirement strings."""
        declared = list(project["project"]["dependencies"]) if self.base else []
        for extra in self.extras:
            declared += project["project"]["optional-dependencies"][extra]
        for group in self.groups:
            declared += project["dependency-groups"][group]
        return declared

    def digest(self, project: Mapping[str, Any]) -> str:
        """SHA-256 of the declared requirements and of the Python floor, order aside."""
        content = [sorted(self.requirements(project)), project["project"]["requires-python"]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def header(self, project: Mapping[str, Any]) -> str:
        """The comment at the top of the file."""
        return (
            "# Compiled from pyproject.toml by `make lock`; not to be edited by hand.\n"
            f"# Declared dependencies: sha256:{self.digest(project)}\n"
        )


PRODUCTION = Lock("requirements-production.txt", extras=("models", "gpl"))
LOCKS = (
    PRODUCTION,
    Lock("requirements-dev.txt", extras=PRODUCTION.extras, groups=("dev",), within=PRODUCTION.name),
    Lock("requirements-bootstrap.txt", base=False, groups=("bootstrap",)),
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned package: ``numpy==2.4.6 ; python_full_version < '3.12'``."""

    name: str
    version: str
    marker: str
    hashed: bool


def read_project(root: Path) -> dict[str, Any]:
    """The content of ``pyproject.toml``."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def compile_lock(root: Path, lock: Lock, project: Mapping[str, Any], *, upgrade: bool) -> None:
    """Let uv resolve one lock file, keeping its pins unless ``upgrade``."""
    target = root / lock.name
    command = [sys.executable, "-m", "uv", "--no-config", "pip", "compile", "--quiet"]
    command += ["--universal", "--generate-hashes", "--python-version", PYTHON_FLOOR]
    command += ["--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    command += [f"--extra={extra}" for extra in lock.extras]
    command += [f"--group={group}" for group in lock.groups]
    command += ["--upgrade"] if upgrade else []
    command += (
        [f"--constraints={lock.within}", "--no-annotate"] if lock.within else ["--no-annotate"]
    )
    command += ["--output-file", lock.name, *(["pyproject.toml"] if lock.base else [])]
    # Wheels that lie about on this machine must not decide what the lock says.
    environment = {
        k: v for k, v in os.environ.items() if k not in {"UV_FIND_LINKS", "UV_CONFIG_FILE"}
    }
    # uv itself, with names of our files
    subprocess.run(command, check=True, cwd=root, env=environment)  # noqa: S603 # nosec B603
    body = target.read_text(encoding="utf-8")
    target.write_text(lock.header(project) + body, encoding="utf-8")


def parse(text: str, faults: list[str]) -> Iterator[Pin]:
    """The pins of a lock file; whatever is neither pin, hash nor our header goes to ``faults``."""
    current: re.Match[str] | None = None
    hashed = False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if HASH.fullmatch(line) and current:
            hashed = True
            continue
        if current:
            yield Pin(current["name"], current["version"], current["marker"] or "", hashed)
        current, hashed = PIN.fullmatch(line), False
        if current is None and line and not line.startswith("# "):
            faults.append(f"line {number} is neither a pin nor a hash")


def check_text(text: str, faults: list[str]) -> None:
    """No address and no path, in comments neither."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"://|--(extra-)?index|--find-links|file:|(^|[\s=])[/~]|\\\\|[A-Z]:\\", line):
            faults.append(f"line {number} holds an address or a path")


def check_requirements(declared: Sequence[str], pins: Sequence[Pin], faults: list[str]) -> None:
    """Every declared requirement is met by the pins of its name, all of them."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(canonicalize_name(pin.name), []).append(pin.version)
    for entry in declared:
        requirement = Requirement(entry)
        found = versions.get(canonicalize_name(requirement.name), [])
        if not found:
            faults.append(f"{entry} is not pinned")
        faults.extend(
            f"{entry} is pinned to {version}"
            for version in found
            if not requirement.specifier.contains(version, prereleases=True)
        )


def check_lock(root: Path, lock: Lock, project: Mapping[str, Any]) -> list[str]:
    """What is wrong with one lock file; nothing when it is sound."""
    path = root / lock.name
    if not path.exists():
        return [f"{lock.name} is missing"]
    faults: list[str] = []
    text = path.read_text(encoding="utf-8")
    if not text.startswith(lock.header(project)):
        faults.append("does not match pyproject.toml")
    check_text(text, faults)
    pins = list(parse(text, faults))
    faults += [f"{pin.name} has no hash" for pin in pins if not pin.hashed]
    faults += [f"{pin.name} is not wanted here" for pin in pins if UNWANTED.fullmatch(pin.name)]
    check_requirements(lock.requirements(project), pins, faults)
    if lock.within:
        outer = list(parse((root / lock.within).read_text(encoding="utf-8"), []))
        names = {(pin.name, pin.version) for pin in pins}
        faults += [
            f"{pin.name}=={pin.version} of {lock.within} is not in it"
            for pin in outer
            if (pin.name, pin.version) not in names
        ]
    return [f"{lock.name}: {fault}" for fault in faults]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["compile", "check"])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("--root", type=Path, default=ROOT, help="where pyproject.toml lies")
    options = parser.parse_args(arguments)
    project = read_project(options.root)
    if options.command == "compile":
        for lock in LOCKS:
            compile_lock(options.root, lock, project, upgrade=options.upgrade)
    faults = [fault for lock in LOCKS for fault in check_lock(options.root, lock, project)]
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201  this is the interface
    if faults:
        print("Run `make lock` and commit the result.", file=sys.stderr)  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
