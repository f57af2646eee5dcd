"""The real service as a process of its own, on a port of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 90.0
READY_S = 120.0
STOP_S = 40.0

_URL = re.compile(rb"listens on (http://\S+)")


@dataclass
class Server:
    """A service that listens. Its output is in ``output``."""

    url: str
    process: subprocess.Popen[bytes]
    output: Path
    headers: dict[str, str] = field(default_factory=dict)
    """What its clients send with every request: a key, where one is needed."""
    readiness: list[int] = field(default_factory=list)
    """What ``/health/ready`` answered while it started."""

    @property
    def socket_url(self) -> str:
        """The same address for WebSockets."""
        return self.url.replace("http", "ws", 1)

    def client(self, **options: object) -> httpx.Client:
        """A client with the service's address as its base."""
        return httpx.Client(**self._options(options))

    def async_client(self, **options: object) -> httpx.AsyncClient:
        """The same without blocking."""
        return httpx.AsyncClient(**self._options(options))

    def _options(self, options: Mapping[str, object]) -> dict[str, Any]:
        headers = {**self.headers, **dict(options.get("headers") or {})}
        fixed = {"base_url": self.url, "timeout": 120, "trust_env": False}
        return {**fixed, **options, "headers": headers}

    def make_key(self, owner: str = "tests") -> str:
        """A key of the largest tier that this machine may make without one."""
        with httpx.Client(base_url=self.url, timeout=120, trust_env=False) as client:
            asked = {"user_id": owner, "tier": "enterprise"}
            return str(client.post("/auth/api-key", json=asked).json()["api_key"])

    def log(self) -> str:
        """All that it wrote so far."""
        return self.output.read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """The service and everything that it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def engine_processes(self) -> list[psutil.Process]:
        """Its engines'."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if any("engine_process" in part for part in process.cmdline()):
                    found.append(process)
        return found

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Return once ``/health/ready`` answers 200."""
        until = time.monotonic() + seconds
        with self.client() as client:
            while time.monotonic() < until:
                self.readiness.append(client.get("/health/ready").status_code)
                if self.readiness[-1] == httpx.codes.OK:
                    return
                self._check_alive()
                time.sleep(0.1)
        raise TimeoutError(f"not ready after {seconds} s:\n{self.log()}")

    def wait_listening(self) -> None:
        """Learn the address from what the service says at its start."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if found := _URL.search(self.output.read_bytes()):
                self.url = found[1].decode()
                return
            self._check_alive()
            time.sleep(0.05)
        raise TimeoutError(f"not listening after {START_S} s:\n{self.log()}")

    def stop(self) -> int:
        """Ask it to stop; its exit status. Whatever is left after a while is killed."""
        left = self.processes() if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(STOP_S)
        finally:
            _, alive = psutil.wait_procs(left, timeout=5)
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        return status

    def _check_alive(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}:\n{self.log()}")


@contextlib.contextmanager
def start_server(
    environment: Mapping[str, str] | None = None,
    *,
    ready: bool = True,
    keyed: bool = True,
    arguments: Sequence[str] = ("rest_api_v2.py",),
) -> Iterator[Server]:
    """A service on a free port; stopped at the end.

    Args:
        environment: settings, as environment variables over our own.
        ready: wait until its models are loaded.
        keyed: make a key, which its clients send.
        arguments: what Python runs; another program that says where it listens.
    """
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={
                    **os.environ,
                    "HOST": "127.0.0.1",
                    "PORT": "0",
                    "LOG_FORMAT": "json",
                    "DATA_DIR": f"{directory}/data",
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        server = Server("", process, output)
        try:
            server.wait_listening()
            if keyed:
                server.headers = {"X-API-Key": server.make_key()}
            if ready:
                server.wait_ready()
            yield server
        finally:
            server.stop()


def kill(pid: int) -> None:
    """SIGKILL, for tests of faults."""
    os.kill(pid, signal.SIGKILL)
