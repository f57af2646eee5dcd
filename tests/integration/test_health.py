"""Health of real services: their own engines asked, and what they depend on broken and mended."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.support.redis_server import redis_server
from tests.support.server import Server, start_server

PATIENCE_S = 90
Checks = dict[str, dict[str, Any]]


def until(client: httpx.Client, holds: Callable[[httpx.Response, Checks], bool]) -> Checks:
    """The checks, once it holds."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        answer = client.get("/health")
        checks: Checks = answer.json()["checks"]
        if holds(answer, checks):
            return checks
        assert time.monotonic() < give_up, answer.text
        time.sleep(0.2)


def test_every_engine_of_the_service_answers_its_tiny_call(server: Server) -> None:
    with server.client() as client:
        ready = client.get("/health").json()["engines"]
        names = [f"engine:{name}" for name, one in ready.items() if one["state"] == "ready"]
        assert len(names) >= 4
        found = until(client, lambda _, checks: all(checks[name]["last_ok"] for name in names))
        assert {found[name]["level"] for name in names} == {"ok"}
        assert found["model files"]["level"] in {"ok", "unknown"}  # its turn comes later


def test_what_breaks_is_told_and_what_comes_back_as_well(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    with redis_server() as redis:
        settings = {
            "ENGINE_OPTIONS": json.dumps({"broken_while": str(broken)}),
            "HEALTH_ENGINE_IDLE_S": "1",
            "REDIS_URL": f"unix://{redis.socket}",
        }
        program = ("-m", "tests.support.engine_service")
        with start_server(settings, arguments=program) as server, server.client() as client:
            watched = ("engine:echo", "redis", "database")
            until(client, lambda _, checks: all(checks[name]["last_ok"] for name in watched))

            redis.process.kill()
            redis.process.wait()
            until(
                client,
                lambda answer, checks: (
                    checks["redis"]["level"] == "failed"
                    and answer.status_code == 200
                    and answer.json()["overall_status"] == "degraded"
                ),
            )
            broken.touch()
            found = until(client, lambda answer, _: answer.status_code == 503)
            assert found["engine:echo"]["level"] == "failed"
            assert client.get("/health/live").status_code == 200
            assert client.get("/health/simple").status_code == 503

            broken.unlink()
            redis.restart()
            until(
                client,
                lambda answer, checks: (
                    answer.status_code == 200
                    and {checks[name]["level"] for name in watched} == {"ok"}
                ),
            )
            told = changes(server)
    for name in ("engine:echo", "redis"):  # on a busy machine a look may warn before, too
        at = told[name].index(("warning", "failed"))
        assert told[name][at - 1 : at + 2] == [
            ("ok", "warning"),
            ("warning", "failed"),
            ("failed", "ok"),
        ]


def changes(server: Server) -> dict[str, list[tuple[str, str]]]:
    """What the log says of each check's levels."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in map(json.loads, filter(None, re.findall(r"^{.*}$", server.log(), re.MULTILINE))):
        if line["event"] == "health_check_changed":
            found[line["check"]].append((line["before"], line["after"]))
    return found
