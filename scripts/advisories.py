"""Looks the locked packages up among known vulnerabilities: ``advisories.py check``, ``refresh``.

The advisories are kept beside this file, as they were on the day that it names: the check needs no
network, and knows nothing that was published later, which it says each time. ``refresh CLONE``
takes them anew from a clone of PyPA's advisory database (``pypa/advisory-database``); it is due
after a package was added, and whenever the day lies far back. (pip-audit asks a service. It passes
over a package that the service does not know, and so all of them where there is none.)

In ``pyproject.toml``, under ``[tool.advisories]``, ``accepted`` maps ids of advisories that do no
harm here to the reason, and ``not-looked-up`` lists packages to go on without.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # read in one place, and checked by what is made of it
from locks import LOCKS, ROOT, Pin, parse, read_project
from packaging.utils import canonicalize_name
from packaging.version import Version

SNAPSHOT = Path("scripts") / "advisories.json"
Range = Sequence[str]
"""Ends of a range: ``introduced 1.0``, ``fixed 1.2`` or ``last_affected 1.1``."""


def say(message: str) -> None:
    """A line on standard error."""
    print(message, file=sys.stderr)  # noqa: T201  this is the interface


def locked(root: Path) -> set[tuple[str, str]]:
    """Name and version of every pin of every lock file."""
    pins: list[Pin] = []
    for lock in LOCKS:
        pins += parse((root / lock.name).read_text(encoding="utf-8"), [])
    return {(canonicalize_name(pin.name), pin.version) for pin in pins}


def affects(affected: Range, version: Version) -> bool:
    """Whether a version lies within a range, as the OSV schema defines it."""
    ends = [(Version(text), kind) for kind, text in map(str.split, affected)]
    inside = False
    for bound, kind in sorted(ends):
        if kind == "introduced":
            inside = inside or version >= bound
        elif version > bound or (kind == "fixed" and version == bound):
            inside = False
    return inside


def check(root: Path, project: Mapping[str, Any], today: date) -> list[str]:
    """What is wrong: packages with a hole, and packages of which nothing is known."""
    path = root / SNAPSHOT
    if not path.exists():
        return [f"{SNAPSHOT} is missing: nothing was looked up"]
    snapshot = json.loads(path.read_text(encoding="utf-8"))
    settings = project.get("tool", {}).get("advisories", {})
    accepted, without = settings.get("accepted", {}), set(settings.get("not-looked-up", []))
    pins = locked(root)
    unknown = {name for name, _ in pins} - set(snapshot["packages"])
    faults = [f"{name} was never looked up" for name in sorted(unknown - without)]
    faults += [f"{name} is looked up, and need not be passed over" for name in without - unknown]
    faults += [
        f"{name}=={version}: {found['id']} ({', '.join(found['aliases'])})"
        for name, version in sorted(pins)
        for found in snapshot["advisories"].get(name, [])
        if found["id"] not in accepted
        and any(affects(affected, Version(version)) for affected in found["ranges"])
    ]
    day = date.fromisoformat(snapshot["published"])
    say(
        f"{len(pins)} pins against the advisories of {day}, {(today - day).days} days ago: "
        "what was published since is not known here."
    )
    if unknown & without:
        say(f"Not looked up at all: {', '.join(sorted(unknown & without))}")
    return faults


def advisories(clone: Path, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The advisories of some packages, each with its package."""
    for name in sorted(names):
        for path in sorted((clone / "vulns" / name).glob("*.yaml")):
            entry = yaml.safe_load(path.read_text(encoding="utf-8"))
            if "withdrawn" in entry:
                continue
            found = [one for one in entry["affected"] if one["package"]["ecosystem"] == "PyPI"]
            ranges = [
                [f"{kind} {version}" for step in one["events"] for kind, version in step.items()]
                for affected in found
                for one in affected.get("ranges", [])
                if one["type"] == "ECOSYSTEM"
            ]
            if not ranges:  # single versions
                listed = [version for affected in found for version in affected["versions"]]
                ranges = [[f"introduced {one}", f"last_affected {one}"] for one in listed]
            aliases = sorted(a for a in entry.get("aliases", []) if a.startswith(("CVE", "GHSA")))
            yield name, {"id": entry["id"], "aliases": aliases, "ranges": ranges}


def refresh(root: Path, clone: Path) -> None:
    """Write the advisories of the locked packages, out of a clone of the database."""
    log = ["git", "-C", str(clone), "log", "-1", "--format=%H %cs"]
    # git itself, with a path
    done = subprocess.run(log, check=True, capture_output=True, text=True)  # noqa: S603 # nosec B603
    revision, published = done.stdout.split()
    names = sorted({name for name, _ in locked(root)})
    found: dict[str, list[dict[str, Any]]] = {}
    for name, advisory in advisories(clone, names):
        found.setdefault(name, []).append(advisory)
    if not found:  # of so many packages some always have one
        raise SystemExit(f"{clone} has no advisory of any of them. Is it a clone with its files?")
    content = {
        "source": "PyPA's advisory database, CC-BY-4.0: ids and ranges of versions",
        "revision": revision,
        "published": published,
        "packages": names,
        "advisories": found,
    }
    (root / SNAPSHOT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where pyproject.toml lies")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="look every pin up")
    renewed = commands.add_parser("refresh", help="take the advisories anew")
    renewed.add_argument("clone", type=Path, help="a clone of PyPA's advisory database")
    options = parser.parse_args(arguments)
    if options.command == "refresh":
        refresh(options.root, options.clone)
    faults = check(options.root, read_project(options.root), datetime.now(UTC).date())
    for fault in faults:
        say(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
