"""What a decoder can still do once it is confined: nothing but its work."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from speech_translator.media import DecoderConfig, DecoderPool
from speech_translator.media.decoder_link import Channel, Nursery
from speech_translator.media.decoder_protocol import UNFILTERED

# Runs in a process of its own, because nothing of this can be undone.
SCRIPT = """
import ctypes, json, os, resource, select, signal, socket, sys, tempfile
from speech_translator.media import sandbox, seccomp
with_filter = sys.argv[1] == "filter"
before = os.getppid()
secret = open("/etc/hostname", "rb")
sandbox.enter_nowhere()
sandbox.confine(sandbox.address_space() + (64 << 20))
output = tempfile.TemporaryFile(dir="/dev/shm") if os.geteuid() == 0 else os.fdopen(
    os.memfd_create("output"), "w+b", buffering=0)
sandbox.limit_work(output_bytes=1000, cpu_seconds=5)
if with_filter:
    seccomp.restrict_calls()

def outcome(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "allowed"

def fork():
    if os.fork() == 0:
        os._exit(0)

def write_much():
    for _ in range(3):
        output.write(bytes(500)); output.flush()

results = {
    "create": outcome(lambda: open("made", "w")),
    "read": outcome(lambda: open("/etc/passwd")),
    "fork": outcome(fork),
    "memory": outcome(lambda: bytearray(256 << 20)),
    "output": outcome(write_much),
    "socket": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
    "kill": outcome(lambda: os.kill(before, 0)),
    "execute": outcome(lambda: with_filter and os.execv("/bin/true", ["true"])),
    "raise a limit": outcome(lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))),
    "handed file": outcome(lambda: secret.read(1)),
    "root": "allowed" if os.geteuid() == 0 else "no",
}
os.write(1, json.dumps(results).encode())
os._exit(0)
"""


def confined(mode: str) -> dict[str, str]:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(result.stdout)


def test_limits_alone_keep_a_decoder_small_and_alone():
    results = confined("limits")
    assert results["create"] in {"FileNotFoundError", "PermissionError"}, "its directory is gone"
    assert results["fork"] == "BlockingIOError"
    assert results["memory"] == "MemoryError"
    assert results["output"] == "OSError"
    assert results["raise a limit"] != "allowed"
    assert results["root"] == "no"
    assert results["handed file"] == "allowed"


def test_with_the_filter_it_can_open_reach_and_start_nothing():
    results = confined("filter")
    for action in ("create", "read", "fork", "socket", "kill", "execute"):
        assert results[action] == "PermissionError", action
    assert results["memory"] == "MemoryError"
    assert results["output"] == "OSError"
    assert results["handed file"] == "allowed"


def proc(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


@pytest.fixture
async def pool():
    pool = DecoderPool(DecoderConfig(processes=1))
    await pool.start()
    yield pool
    await pool.stop()


async def test_a_waiting_decoder_is_confined_already(pool):
    (pid,) = pool.pids
    status_text = proc(pid, "status").decode()
    status = dict(line.split(":\t", 1) for line in status_text.splitlines())
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"].strip() == "2"
    assert status["Threads"] == "1"
    assert int(status["CapEff"], 16) == 0
    assert status["Uid"].split()[0] != "0"
    assert status["NSsid"] == status["Pid"], "a session of its own"
    environment = proc(pool.nursery_pid, "environ")
    names = {item.split(b"=")[0] for item in environment.split(b"\0") if item}
    assert names == {b"PYTHONPATH", b"OPENBLAS_NUM_THREADS", b"OMP_NUM_THREADS", b"LC_ALL"}


async def test_a_kernel_without_a_filter_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:  # noqa: ASYNC220
        nursery = Nursery(process, Channel(ours))
        for pidfd in [os.pidfd_open(process.pid) for _ in range(2)]:
            forked = asyncio.create_task(nursery.fork())
            _, (descriptor,), _, _ = await asyncio.to_thread(socket.recv_fds, theirs, 16, 1)
            with socket.socket(fileno=descriptor) as decoder:
                socket.send_fds(decoder, [UNFILTERED], [pidfd])
                os.close(pidfd)
                await (await forked).end()
        await nursery.end()
    assert caplog.text.count("without a filter of system calls") == 1
