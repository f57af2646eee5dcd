"""Searches every file of the tree for what may not stand in one.

Secrets, addresses of package registries, paths of somebody's machine, and notes of unfinished work
in code. What a line must hold for a reason carries ``tree-ok: <reason>`` on the same line.
Patterns are written so that they do not match themselves.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXCUSE = re.compile(r"tree-ok: \S")
MAX_BYTES = 5_000_000
CODE = (
    ".py",
    ".js",
    ".mjs",
    ".ts",
    ".css",
    ".html",
    ".sh",
    ".lua",
    ".sql",
    ".yml",
    ".yaml",
    "Makefile",
)
BUILD = (
    ".toml",
    ".cfg",
    ".ini",
    ".lock",
    ".json",
    ".yml",
    ".yaml",
    ".npmrc",
    "Makefile",
    "Dockerfile",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that may not occur in files whose names end like one of ``suffixes``."""

    name: str
    pattern: re.Pattern[str]
    suffixes: tuple[str, ...] = ("",)


RULES = (
    Rule("private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY")),
    Rule("cloud access key", re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    Rule("forge token", re.compile(r"\b(gh[pousr]_\w{36}|github_pat_\w{22}|glpat-[\w-]{20})")),
    Rule(
        "registry token", re.compile(r"\b(pypi-AgE[\w-]{20}|npm_[A-Za-z0-9]{36})|_auth[T]oken\s*=")
    ),
    Rule(
        "service token",
        re.compile(r"\b(xox[abprs]-[\w-]{10}|hf_[A-Za-z]{30}|sk-[A-Za-z0-9_-]{32})"),
    ),
    Rule("key of this service", re.compile(r"st_[l]ive_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}")),
    Rule(
        "payment key", re.compile(r"\b([rs]k_(live|test)_[0-9A-Za-z]{16}|whsec_[A-Za-z0-9+/]{24})")
    ),
    Rule(
        "cloud secret",
        re.compile(
            r"\bAIza[\w-]{35}|\bya29\.[\w-]{20}|AccountKey=[A-Za-z0-9+/]{40}"
            r"|(?i:aws_?(secret|session)\w*)[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/]{40}"
            r"|\bdop_v1_[0-9a-f]{64}"
        ),
    ),
    Rule(
        "hook with its secret",
        re.compile(
            r"hooks\.slack\.com/(services|workflows)/\w+/\w+"
            r"|discord(app)?\.com/api/webhooks/\d+/[\w-]+"
        ),
    ),
    Rule(
        "service token",
        re.compile(
            r"\bSG\.[\w-]{22}\.[\w-]{43}|\b\d{8,10}:AA[\w-]{33}\b|\bhv[sb]\.[\w-]{24}"
            r"|\bdckr_pat_[\w-]{20}|\bAGE-SECRET-KEY-1[0-9A-Z]{20}|\bxapp-\d-\w+-\d+-\w+"
        ),
    ),
    Rule(
        "secret in an assignment",  # gitleaks's generic-api-key: a name, and letters with digits
        re.compile(
            r"(?i:secret|passw(or)?d|token|api_?key|pepper|credential)\w*[\"']?\s*[:=]\s*"
            r"[\"']?(?=[\w+/.=-]*\d)(?=[\w+/.=-]*[A-Za-z])[A-Za-z0-9+/_=-]{32,}(?![\w(.])"
        ),
    ),
    Rule("signed token", re.compile(r"\b(?:ek_)?eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20}")),
    Rule("credentials in an address", re.compile(r"://[^\s/:@\"'{}<>$]+:[^\s/:@\"'{}<>$]+@")),
    Rule(
        "address of a package registry",
        re.compile(
            r"pypi\.org/s[i]mple|files\.python[h]osted\.org|registry\.(npm[j]s|yarn[p]kg)\."
        ),
    ),
    Rule("address of an index", re.compile(r"--(extra-)?index-u[r]l\b|--find-l[i]nks[ =]"), BUILD),
    Rule(
        "path of a machine",
        re.compile(r"(?<![\w.~-])/(root|Users|home/[a-z]\w*|work|mnt|opt/[a-z]\w*)/"),
    ),
    Rule(
        "address of a private network",
        re.compile(r"//[\w.-]+\.(internal|corp|lan|intranet)\b"),
        BUILD,
    ),
    Rule("open end", re.compile(r"\b(TO[D]O|FI[X]ME|X[X]X|HA[C]K)\b"), CODE),
)


def listed(root: Path) -> list[Path]:
    """Files that git tracks or would track; every file where the tree is no repository."""
    command = [
        "git",
        "-C",
        str(root),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    # git itself, with a path
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 # nosec B603
    if done.returncode == 0:
        names = done.stdout.decode(errors="surrogateescape").split("\0")
        return [root / name for name in names if name]
    hidden = {".git", ".venv"}
    return [path for path in root.rglob("*") if not hidden & set(path.relative_to(root).parts)]


def findings(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and names of the rules that one file breaks; binary files are passed over."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_BYTES:
        return
    content = path.read_bytes()
    if b"\0" in content:
        return
    rules = [rule for rule in RULES if path.name.endswith(rule.suffixes)]
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        for rule in rules:
            if rule.pattern.search(line) and not EXCUSE.search(line):
                yield number, rule.name


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to search")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    faults = [
        f"{path.relative_to(root)}:{number}: {name}"
        for path in sorted(listed(root))
        for number, name in findings(path)
    ]
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201  this is the interface
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
