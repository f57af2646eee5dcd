"""The real service as a process on a spare port, for benchmarks that speak to it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    port: int
    process: subprocess.Popen[bytes]
    ready_after_s: float
    key: str
    """Of the largest tier that this machine may make without one."""

    def processes(self) -> list[psutil.Process]:
        """The server and all that it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far, of the server itself and of its children together."""
        seconds = [sum(process.cpu_times()[:2]) for process in self.processes()]
        return {"server": seconds[0], "children": sum(seconds[1:])}

    def memory(self) -> dict[str, float]:
        """MiB of resident memory of all processes: as summed, and with shared pages once."""
        full = [process.memory_full_info() for process in self.processes()]
        return {
            "rss_mib": sum(info.rss for info in full) / 2**20,
            "pss_mib": sum(info.pss for info in full) / 2**20,
        }


def spare_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _key(port: int) -> str:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/auth/api-key",
        data=b'{"user_id": "benchmark", "tier": "enterprise"}',
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - ours, on loopback
        return str(json.loads(answer.read())["api_key"])


@contextmanager
def running(
    environment: Mapping[str, str] | None = None, *, timeout_s: float = 60
) -> Iterator[Service]:
    """Start ``rest_api_v2.py``, wait until it is ready, and stop it at the end.

    Limits are counted as always, and are too high to be met.
    """
    with tempfile.TemporaryDirectory() as directory:
        tiers = Path(directory) / "tiers.toml"
        limits = ("requests_per_minute", "requests_per_day", "characters_per_minute")
        values = (f"{name} = 1_000_000_000" for name in (*limits, "characters_per_month"))
        tiers.write_text("\n".join(["[enterprise]", *values]))
        own = {"TIERS_FILE": str(tiers), "DATA_DIR": f"{directory}/data"}
        with _started({**own, **(environment or {})}, timeout_s) as service:
            yield service


@contextmanager
def _started(environment: Mapping[str, str], timeout_s: float) -> Iterator[Service]:
    port = spare_port()
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "rest_api_v2.py")],
        env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port), **environment},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _ready(port):
            if process.poll() is not None or time.monotonic() - started > timeout_s:
                raise RuntimeError("The service did not become ready.")
            time.sleep(0.05)
        ready_after_s = time.monotonic() - started
        yield Service(port, process, ready_after_s, _key(port))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def get_json(port: int, path: str) -> object:
    """One GET, parsed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.loads(answer.read())
