"""APy in a process of its own, from the parent's side: start, wait, start again, end.

The parent opens the listening socket, on 127.0.0.1 and a port that the kernel picks, and the child
inherits it: no port is guessed and nothing else can take it. The child gets no secrets, and a
group of its own that ends with the parent; see ``apertium_server.py``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from speech_translator.engines.apertium_client import Client, ServerFailed
from speech_translator.engines.apertium_codes import Pair
from speech_translator.engines.apertium_modes import MODES
from speech_translator.errors import EngineUnavailable
from speech_translator.settings import inherited_environment

IDLE_S = 600
"""Seconds after which a pipeline that nobody uses ends."""

_PROGRAM = Path(__file__).with_name("apertium_server.py")
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
_ENDING_S = 5.0
_BACKLOG = 64


@dataclass(frozen=True, slots=True)
class SidecarConfig:
    """How APy is run.

    ``start_s`` bounds a start and ``translate_s`` one translation, in seconds; ``memory_mb`` what
    its pipelines may take together, in MiB: beyond it the least recently used ones end.
    """

    modes: Path = MODES
    start_s: float = 20.0
    translate_s: float = 15.0
    memory_mb: int = 1024


class Sidecar:
    """One APy, started again when it is gone. Safe to use from several threads."""

    def __init__(self, config: SidecarConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None

    @property
    def pid(self) -> int | None:
        """Of the running sidecar; also the id of its process group."""
        process = self._process
        return process.pid if process else None

    def client(self) -> Client:
        """Of the running sidecar, which is started where there is none.

        Raises:
            EngineUnavailable: it does not start in its time.
        """
        with self._lock:
            if self._client is None or self._process is None or self._process.poll() is not None:
                self._end()
                self._start()
            assert self._client is not None  # noqa: S101 - just started
            return self._client

    def discard(self, client: Client) -> None:
        """End the sidecar that ``client`` calls, if it still runs: it failed, or does not answer.

        The next ``client()`` starts another.
        """
        with self._lock:
            if client is self._client:
                self._end()

    def close(self) -> None:
        """End it and everything that it started."""
        with self._lock:
            self._end()

    def pairs(self) -> list[Pair]:
        """What it has, in Apertium's codes."""
        return self.client().pairs()

    def _start(self) -> None:
        config = self._config
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(_BACKLOG)
            port = listening.getsockname()[1]
            options = {
                "descriptor": listening.fileno(),
                "modes": str(config.modes),
                "timeout_s": max(1, int(config.translate_s)),
                "idle_s": IDLE_S,
                "memory_mb": config.memory_mb,
            }
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program # nosec B603
                [sys.executable, "-P", str(_PROGRAM), json.dumps(options)],
                stdin=subprocess.PIPE,  # its lifeline
                stdout=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
        # APy gives up first and says so; the client's own limit is for an APy that hangs.
        client = Client(f"http://127.0.0.1:{port}", config.translate_s + 2)
        if not self._answers(port):
            self._end()
            raise EngineUnavailable("Apertium's server did not start in its time.")
        self._client = client

    def _answers(self, port: int) -> bool:
        """Whether it lists its pairs before the deadline. The kernel queues what comes early."""
        deadline = time.monotonic() + self._config.start_s
        assert self._process is not None  # noqa: S101 - just started
        while self._process.poll() is None and (left := deadline - time.monotonic()) > 0:
            try:
                Client(f"http://127.0.0.1:{port}", left).pairs()
            except (OSError, http.client.HTTPException, ServerFailed):
                time.sleep(min(0.05, left))
            else:
                return True
        return False

    def _end(self) -> None:
        """Kill the group: pipelines that hang would outlive APy."""
        process, self._process, self._client = self._process, None, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin:
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDING_S)


def _environment() -> dict[str, str]:
    """What APy and the pipelines need; Apertium reads bytes as the locale says."""
    environment = inherited_environment()
    paths = [str(_IMPORT_ROOT), environment.get("PYTHONPATH", "")]
    return {
        name: value for name, value in environment.items() if not name.startswith(("LC_", "LANG"))
    } | {"LC_ALL": "C.UTF-8", "PYTHONPATH": ":".join(filter(None, paths))}
