"""An engine process by itself: what it says, what it hides, and when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import TranslateCall
from speech_translator.errors import EngineFailed
from speech_translator.scalability import engine_host, wire
from speech_translator.settings import inherited_environment
from tests.support.broker_harness import ROOT, running, spec

LONG = 30.0


class Child:
    """The process and the broker's end of its socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "speech_translator.scalability.engine_process"),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**inherited_environment(), "PYTHONPATH": str(ROOT)},
            )
        ours.settimeout(LONG)
        self.socket = ours
        self.reader = wire.FrameReader()
        self.unpacker: wire.Unpacker[wire.ToBroker] = wire.Unpacker(wire.ToBroker)

    def send(self, message: wire.Message) -> None:
        for piece in wire.Packer().pack(message):
            self.socket.sendall(piece)

    def ask(self, *texts: str, batch: int = 1) -> None:
        self.send(wire.Run(batch, [TranslateCall(text, "en", "pt") for text in texts]))

    def receive(self) -> wire.ToBroker:
        while True:
            for frame in self.reader.frames():
                return self.unpacker.unpack(frame)
            count = self.socket.recv_into(self.reader.space())
            assert count, "the process has closed its socket"
            self.reader.filled(count)

    def start(self, made: EngineSpec) -> wire.ToBroker:
        self.send(wire.Start(made))
        return self.receive()

    def end(self) -> tuple[int, str, str]:
        """Close the socket; exit status, stdout and stderr."""
        self.socket.close()
        out, err = self.process.communicate(timeout=LONG)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.socket.close()
    made.process.kill()
    made.process.communicate()


def test_it_answers_and_ends_when_the_socket_closes(child: Child) -> None:
    assert isinstance(child.start(spec()), wire.Ready)
    child.ask("hello", "world")
    done = child.receive()
    assert isinstance(done, wire.Done)
    assert done.results == ["pt:hello", "pt:world"]
    assert child.end() == (0, "", "")


def test_batches_run_side_by_side_and_are_answered_as_they_finish(child: Child) -> None:
    child.start(spec(concurrency=2))
    child.ask("SLOW", batch=1)
    child.ask("quick", batch=2)
    assert [child.receive().batch for _ in range(2)] == [2, 1]  # type: ignore[union-attr]


def test_it_ends_although_a_call_hangs(child: Child) -> None:
    child.start(spec(concurrency=2))
    child.ask("HANG")
    assert child.end()[0] == 0


def test_errors_are_told_by_place_and_never_by_their_words(child: Child) -> None:
    child.start(spec())
    child.ask("RAISE my secret")
    failed = child.receive()
    assert isinstance(failed, wire.Failed)
    assert "secret" not in failed.message
    _, out, err = child.end()
    assert "RuntimeError" in err
    assert "engines.py:" in err
    assert "secret" not in err
    assert out == ""


def test_what_the_caller_must_mend_is_no_line_in_the_log(child: Child) -> None:
    child.start(spec())
    child.ask("REFUSE")
    assert isinstance(child.receive(), wire.Failed)
    assert child.end() == (0, "", "")


@pytest.mark.parametrize("mark", ["EXIT", "SURROGATE", "OBJECT"])
def test_an_engine_that_misbehaves_fails_its_call_and_stays(child: Child, mark: str) -> None:
    child.start(spec())
    child.ask(mark)
    failed = child.receive()
    assert isinstance(failed, wire.Failed)
    assert type(wire.error_of(failed)) is EngineFailed or mark == "SURROGATE"
    child.ask("next")
    assert isinstance(child.receive(), wire.Done)


def test_what_an_engine_prints_stays_out_of_stdout(child: Child) -> None:
    child.start(spec())
    child.ask("PRINT")
    child.receive()
    _, out, err = child.end()
    assert out == ""
    assert "PRINT" in err


def test_a_crash_in_native_code_names_its_place(child: Child) -> None:
    child.start(spec())
    child.ask("SEGFAULT my secret")
    _, err = child.process.communicate(timeout=LONG)
    assert child.process.returncode == -signal.SIGSEGV
    assert b"engines.py" in err
    assert b"secret" not in err


def test_the_terminal_and_the_service_manager_do_not_end_it(child: Child) -> None:
    child.start(spec())
    for number in (signal.SIGINT, signal.SIGTERM):
        child.process.send_signal(number)
    child.ask("still there")
    assert isinstance(child.receive(), wire.Done)


@pytest.mark.parametrize("garbage", [b"\xff" * 64, wire._HEAD.pack(4, 4) + b"\xc1" * 4])
def test_a_broker_that_talks_nonsense_ends_it(child: Child, garbage: bytes) -> None:
    child.start(spec())
    child.socket.sendall(garbage)
    child.process.wait(LONG)
    assert child.process.returncode == 1


@pytest.mark.parametrize(
    ("option", "code"), [("missing", "model_missing"), ("broken", "engine_failed")]
)
def test_what_keeps_it_from_loading_is_told(child: Child, option: str, code: str) -> None:
    failed = child.start(spec(**{option: True}))
    assert isinstance(failed, wire.Failed)
    assert (failed.batch, failed.code) == (None, code)
    assert child.end()[0] == 1


def test_a_factory_that_is_not_there_is_told(child: Child) -> None:
    failed = child.start(spec(factory="no_such_factory"))
    assert isinstance(failed, wire.Failed)
    assert "AttributeError" in failed.message


def test_it_yields_and_inherits_nothing_but_its_socket(child: Child) -> None:
    child.start(spec(limits={"nice": 7}))
    process = psutil.Process(child.process.pid)
    assert process.nice() == psutil.Process().nice() + 7
    assert process.num_fds() <= 5  # stdin, stdout, stderr, the socket, and ctypes' own


async def test_secrets_of_the_service_do_not_reach_its_engines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY_PEPPER", "secret")
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    async with running() as harness:
        assert await harness.ask("VARIABLE KEY_PEPPER") == "not set"
        assert await harness.ask("VARIABLE HF_TOKEN") == "not set"
        assert await harness.ask("VARIABLE LC_TIME") == "C.UTF-8"


_PARENT = """
import asyncio, sys
sys.path.insert(0, {root!r})
from tests.support.broker_harness import running

async def main():
    async with running() as harness:
        asyncio.ensure_future(harness.ask("HANG"))
        await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        print(harness.status().pids[0], flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_it_dies_with_the_broker_even_while_it_is_busy() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT.format(root=str(ROOT))], stdout=subprocess.PIPE
    )
    engine = None
    try:
        assert parent.stdout is not None
        engine = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
        until = time.monotonic() + LONG
        with contextlib.suppress(psutil.NoSuchProcess):
            while engine.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
                time.sleep(0.01)
        assert time.monotonic() < until
    finally:
        parent.kill()
        parent.communicate()
        if engine is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                engine.kill()


async def test_a_fault_of_the_host_itself_is_reported_and_the_engine_comes_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, faults = engine_host._start_process, iter([True])

    def faulty(spec: EngineSpec, descriptor: int) -> subprocess.Popen[bytes]:
        if next(faults, False):
            raise LookupError("something that nobody thought of")
        return start(spec, descriptor)

    monkeypatch.setattr(engine_host, "_start_process", faulty)
    async with running() as world:
        assert await world.ask("Hello.")
    assert "fault of its host" in caplog.text
