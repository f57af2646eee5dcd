"""A real service under load, to be broken: small engines, no limits that load would run into."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.server import Server, start_server
from tests.support.traffic import UNLIMITED, Client, Traffic

SMALL = {"SYNTHESIZERS": "[]", "LIVE_SYNTHESIZERS": "[]", "TRANSLATORS": '["bergamot"]'}
"""Engines that load in a moment: translation and recognition."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a fault is injected, and how long is waited between two of them, in seconds."""

    rounds: int
    pause_s: float


@pytest.fixture(scope="session")
def pace(request: pytest.FixtureRequest) -> Pace:
    """A few faults in the suite; ``--chaos-rounds`` and ``--chaos-pause-s`` make them many."""
    option = request.config.getoption
    return Pace(int(option("--chaos-rounds")), float(option("--chaos-pause-s")))


@pytest.fixture(scope="session")
def unlimited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiers of which one has no limits of requests."""
    file = tmp_path_factory.mktemp("tiers") / "tiers.toml"
    file.write_text(UNLIMITED)
    return file


Start = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def start(unlimited: Path) -> Start:
    """Starts a service with other settings over these."""

    def begin(environment: Mapping[str, str] | None = None) -> contextlib.AbstractContextManager:
        return start_server({**SMALL, "TIERS_FILE": str(unlimited), **(environment or {})})

    return begin


@pytest.fixture(scope="module")
def service(start: Start) -> Iterator[Server]:
    """One that the tests of a module share: each leaves it working."""
    with start({"ENGINE_CALL_TIMEOUT_S": "8"}) as running:
        yield running


def client_of(server: Server, attempts: int = 1) -> Client:
    """How load reaches a service."""
    return Client(server.url, server.headers, attempts)


def show(name: str, load: Traffic, **figures: object) -> None:
    """One line for whoever reads the log of a long run."""
    lines = [f"{name}: {len(load.outcomes)} requests, {dict(load.count())} {figures}"]
    lines += [f"  {one.kind} {one.verdict} {one.detail}" for one in load.bad()[:5]]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
