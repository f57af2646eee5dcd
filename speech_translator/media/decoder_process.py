"""The processes behind ``DecoderPool``: a nursery, and the decoders that it forks.

``python -m speech_translator.media.decoder_process FD MEMORY_MB`` is the nursery. It loads
PyAV once, keeps one thread and never sees an upload. For each socket that it is sent it forks a
decoder, which confines itself, reports, waits for one job, does it and ends: no upload is ever
decoded in a process that another one has touched, and a fork costs 2 ms where a start costs 600.

Messages are those of ``decoder_protocol.py``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from dataclasses import asdict
from typing import NoReturn

from speech_translator.errors import InvalidAudio
from speech_translator.media import audio_reader, sandbox, seccomp
from speech_translator.media.decoder_protocol import (
    DAMAGED,
    DONE,
    FAILED,
    FORK,
    HERE,
    JOB,
    MAX_MESSAGE,
    NO_SPACE,
    PROGRESS,
    READY,
)
from speech_translator.media.resampling import SAMPLE_RATE, Samples
from speech_translator.media.sniffing import AudioFormat

_BYTES_PER_S = SAMPLE_RATE * 4
_FILE_SLACK = 1 << 20


def main() -> None:
    """Run the nursery until its pool is gone."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    sandbox.die_with_parent(os.getppid())
    sandbox.enter_nowhere()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps; the pool holds pidfds
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which ends us
    audio_reader.warm_up()
    gc.freeze()  # keeps the collector from touching, and so copying, shared pages
    address_space = sandbox.address_space() + (int(sys.argv[2]) << 20)
    channel.send(READY)
    while True:
        message, fds, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 1)
        if message != FORK:
            return  # the pool is gone
        decoder = socket.socket(fileno=fds[0])
        if os.fork() == 0:
            channel.close()
            sandbox.confine(address_space)
            _serve(decoder)
        decoder.close()


def _serve(channel: socket.socket) -> NoReturn:
    """A decoder's life. It leaves without Python's own exit, which a full memory could block."""
    status = 1
    try:
        pidfd = os.pidfd_open(os.getpid())
        socket.send_fds(channel, [HERE], [pidfd])
        os.close(pidfd)
        with contextlib.suppress(OSError):  # an old kernel: the other limits stand
            seccomp.restrict_calls()
        message, fds, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 2)
        if message[:1] == JOB:
            channel.send(_work(json.loads(message[1:]), fds[0], fds[1], channel))
        status = 0
    finally:
        os._exit(status)


def _work(job: dict[str, object], source: int, output: int, channel: socket.socket) -> bytes:
    """Decode; the answer as a message."""
    max_seconds = float(str(job["max_seconds"]))
    sandbox.limit_work(
        output_bytes=int(max_seconds * _BYTES_PER_S) + _FILE_SLACK,
        cpu_seconds=int(str(job["cpu_seconds"])),
    )

    def write(samples: Samples) -> None:
        view = samples.data.cast("B")
        while view:
            view = view[os.write(output, view) :]

    def report(seconds: float) -> None:
        channel.send(PROGRESS + json.dumps({"seconds": seconds}).encode())

    try:
        with open(source, "rb", buffering=0) as file:
            reader = audio_reader.AudioReader(
                file,
                AudioFormat(str(job["format"])),
                write,
                max_seconds=max_seconds,
                progress=report,
            )
            summary = reader.read()
    except InvalidAudio as error:
        return FAILED + json.dumps({"code": error.code}).encode()
    except OSError:  # libavformat's are caught below it: this is the output
        return FAILED + json.dumps({"code": NO_SPACE}).encode()
    except Exception:  # noqa: BLE001 - no memory, or a fault that nobody has foreseen
        return FAILED + json.dumps({"code": DAMAGED}).encode()
    return DONE + json.dumps(asdict(summary)).encode()


if __name__ == "__main__":
    main()
