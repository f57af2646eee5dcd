"""One engine in a process of its own: loads it, then answers batches until the socket closes.

Started by the broker as ``python -m speech_translator.scalability.engine_process FD``. It holds no
state worth saving, so it may be killed at any time.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, cast

from speech_translator.engines.base import Engine
from speech_translator.engines.dispatch import run_batch
from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import InvalidRequest
from speech_translator.scalability import wire

_PR_SET_PDEATHSIG = 1
_SHOWN_FRAMES = 6
_KIB, _MIB = 1024, 1024 * 1024


def load_engine(spec: EngineSpec) -> Engine:
    """Call the spec's factory with its options and secrets; raises what the factory raises."""
    module, _, function = spec.factory.partition(":")
    factory = cast(
        "Callable[[Mapping[str, object]], Engine]",
        getattr(importlib.import_module(module), function),
    )
    return factory({**spec.options, **spec.secrets})


def _settle_in() -> None:
    """What holds from the first moment: whom it dies with, which signals and outputs are its."""
    if sys.platform == "linux":
        # The socket tells too, but only a thread that is not busy in native code.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # A terminal's Ctrl-C and a service manager's SIGTERM go to every process of the service. The
    # broker drains first and needs its engines for that; it ends them when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core holds what users said
    if sys.stderr is None:  # the service was started with it closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = os.fdopen(2, "w")
    os.dup2(2, 1)  # a library that prints must not write into the service's output
    faulthandler.enable()  # a crash in native code names its place: files and lines, no values


def _limit_growth(limit_mb: int) -> None:
    """Bound what may be allocated from now on, on top of what loading took.

    Writable private memory (RLIMIT_DATA), not address space: inference libraries reserve far more
    of that than they ever use, and map their weights.
    """
    with contextlib.suppress(OSError, ValueError):  # no /proc, or a lower limit is in force
        status = Path("/proc/self/status").read_text(encoding="ascii")
        used_kb = int(status.partition("VmData:")[2].split(maxsplit=1)[0])
        limit = used_kb * _KIB + limit_mb * _MIB
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _tell(error: BaseException, what: str) -> None:
    """The kind and place of an error on stderr, without its words: they may quote a user."""
    frames = traceback.extract_tb(error.__traceback__)[-_SHOWN_FRAMES:]
    places = "".join(f"\n  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    sys.stderr.write(f"engine process {os.getpid()}: {what}: {type(error).__name__}{places}\n")
    sys.stderr.flush()


class _Connection:
    """The socket: whole messages in, whole messages out, from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = wire.FrameReader()
        self._unpacker: wire.Unpacker[wire.ToEngine] = wire.Unpacker(wire.ToEngine)
        self._frames = self._reader.frames()
        self._receiving = threading.Lock()
        self._sending = threading.Lock()

    def receive(self) -> wire.ToEngine | None:
        """The next message; None when the other end is gone. Threads take turns."""
        with self._receiving:
            while (frame := next(self._frames, None)) is None:
                count = self._socket.recv_into(self._reader.space())
                if not count:
                    return None
                self._reader.filled(count)
                self._frames = self._reader.frames()
            return self._unpacker.unpack(frame)

    def send(self, pieces: list[wire.Piece]) -> None:
        """Write one frame; whole, whichever threads write at the same time."""
        with self._sending:
            for piece in pieces:
                self._socket.sendall(piece)


def _answer(engine: Engine, run: wire.Run, packer: wire.Packer) -> list[wire.Piece]:
    """Run a batch; the frame that answers it, whatever the engine does."""
    begun = time.monotonic()
    try:
        results = run_batch(engine, run.calls)
        return packer.pack(wire.Done(run.batch, list(results), time.monotonic() - begun))
    except BaseException as error:  # noqa: BLE001 # told to the broker; sys.exit() must not end us
        if not isinstance(error, InvalidRequest):
            _tell(error, f"{type(engine).__name__} failed on a batch of {len(run.calls)}")
        return packer.pack(wire.failure(run.batch, error))


def _work(engine: Engine, connection: _Connection) -> NoReturn:
    """Answer batches until the broker is gone, then end the process.

    Each thread reads, works and writes by itself, so that no batch is handed from thread to
    thread (leader and followers). Whatever ends one of them ends the process: with a thread less
    it would look alive and answer nothing.
    """
    status = 1
    try:
        packer = wire.Packer()
        while isinstance(message := connection.receive(), wire.Run):
            connection.send(_answer(engine, message, packer))
        status = 0 if message is None else 1
    except (ConnectionError, wire.BrokenPeer) as error:
        _tell(error, "the connection to the broker broke")
    except BaseException as error:  # noqa: BLE001 # the process ends with it
        _tell(error, "a thread ended")
    finally:
        _leave(status)


def _leave(status: int) -> NoReturn:
    """End at once: destructors of native libraries are known to hang."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(status)


def _load(connection: _Connection) -> Engine | None:
    """Take the first message, load what it names, tell how that went; None when it did not."""
    first = connection.receive()
    if not isinstance(first, wire.Start):
        return None
    spec = first.spec
    packer = wire.Packer()
    try:
        if spec.nice:
            os.nice(spec.nice)
        engine = load_engine(spec)
        if spec.memory_limit_mb:
            _limit_growth(spec.memory_limit_mb)
        ready = packer.pack(wire.Ready(engine.describe()))
    except BaseException as error:  # noqa: BLE001 # told to the broker, which decides
        _tell(error, f"{spec.name} did not load")
        connection.send(packer.pack(wire.failure(None, error)))
        return None
    connection.send(ready)
    return engine


def main() -> NoReturn:
    """Load, announce, serve; the exit status is 0 when the broker closed the socket."""
    _settle_in()
    connection = _Connection(socket.socket(fileno=int(sys.argv[1])))
    try:
        engine = _load(connection)
    except (ConnectionError, wire.BrokenPeer):
        engine = None
    if engine is None:
        _leave(1)
    for _ in range(engine.describe().concurrency - 1):
        threading.Thread(target=_work, args=(engine, connection), daemon=True).start()
    _work(engine, connection)


if __name__ == "__main__":
    main()
