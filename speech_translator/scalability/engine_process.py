"""One engine in a process of its own: loads it, then answers batches until the socket closes.

Started by the broker as ``python -m speech_translator.scalability.engine_process FD``. It holds no
state worth saving, so it may be killed at any time.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from speech_translator.engines.base import Engine
from speech_translator.engines.dispatch import run_batch
from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import InvalidRequest
from speech_translator.scalability import wire

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 1024 * 1024


def _harness(spec: EngineSpec) -> None:
    """Bounds of this process: it dies with its parent, yields, and cannot take all memory."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if spec.nice:
        os.nice(spec.nice)
    if spec.memory_limit_mb:
        # Data, not address space: inference libraries reserve far more than they use.
        limit = spec.memory_limit_mb * 1024 * 1024
        with contextlib.suppress(ValueError):  # a lower limit is in force already
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    os.dup2(sys.stderr.fileno(), 1)  # a library that prints must not reach the user's stdout


def load_engine(spec: EngineSpec) -> Engine:
    """Call the spec's factory with its options; raises what the factory raises."""
    module, _, function = spec.factory.partition(":")
    factory = cast(
        "Callable[[Mapping[str, object]], Engine]",
        getattr(importlib.import_module(module), function),
    )
    return factory(spec.options)


def _tell(error: BaseException, what: str) -> None:
    """The place of an error on stderr, without its message: that may quote a user's text."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    sys.stderr.write(f"engine process: {what}: {type(error).__name__} at {places}\n")


class _Connection:
    """The socket: whole messages in, whole messages out, from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = wire.FrameReader()
        self._arrived: deque[wire.Message] = deque()
        self._sending = threading.Lock()

    def receive(self) -> wire.Message | None:
        """The next message; None when the other end is gone."""
        while not self._arrived:
            data = self._socket.recv(_READ_BYTES)
            if not data:
                return None
            self._arrived.extend(self._reader.feed(data))
        return self._arrived.popleft()

    def send(self, message: wire.Message) -> None:
        """Write one message; whole, whichever threads write at the same time."""
        frame = wire.encode(message)
        with self._sending:
            self._socket.sendall(frame)


def _answer(engine: Engine, run: wire.Run, connection: _Connection) -> None:
    begun = time.monotonic()
    answer: wire.Message
    try:
        results = run_batch(engine, run.calls)
        answer = wire.Done(run.batch, list(results), time.monotonic() - begun)
    except Exception as error:  # noqa: BLE001 # whatever the engine raised is told to the broker
        if not isinstance(error, InvalidRequest):
            _tell(error, "a batch failed")
        answer = wire.failure(run.batch, error)
    connection.send(answer)


def _serve(engine: Engine, connection: _Connection) -> None:
    """Answer from as many threads as the engine runs calls side by side.

    The thread that reads a batch also works on it while the next one takes over the reading, so
    that no batch is handed from thread to thread.
    """
    reading = threading.Lock()

    def work() -> None:
        while True:
            with reading:
                message = connection.receive()
            if message is None:
                return
            _answer(engine, cast("wire.Run", message), connection)

    others = [
        threading.Thread(target=work, daemon=True) for _ in range(engine.describe().concurrency - 1)
    ]
    for thread in others:
        thread.start()
    work()


def main() -> int:
    """Load, announce, serve; the exit status is 0 when the broker closed the socket."""
    connection = _Connection(socket.socket(fileno=int(sys.argv[1])))
    try:
        first = connection.receive()
        if not isinstance(first, wire.Start):
            return 0
        spec = first.spec
        _harness(spec)
        try:
            engine = load_engine(spec)
            connection.send(wire.Ready(engine.describe()))
        except Exception as error:  # noqa: BLE001 # told to the broker, which decides
            _tell(error, f"{spec.name} did not load")
            connection.send(wire.failure(None, error))
            return 1
        _serve(engine, connection)
    except (ConnectionError, wire.BrokenPeer):
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # without the destructors of native libraries, which are known to hang
