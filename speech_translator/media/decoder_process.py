"""The processes behind ``DecoderPool``: a nursery, and the decoders that it forks.

``python -m speech_translator.media.decoder_process FD MEMORY_MB`` is the nursery. It loads
PyAV once, keeps one thread and never sees an upload. For each socket that it is sent it forks a
decoder, which confines itself, reports, waits for one job, does it and ends: no upload is ever
decoded in a process that another one has touched, and a fork costs 2 ms where a start costs 600.

Messages are those of ``decoder_protocol.py``.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import asdict
from functools import partial
from io import FileIO
from typing import NoReturn

from speech_translator.errors import InvalidAudio
from speech_translator.media import audio_reader, sandbox, seccomp
from speech_translator.media.audio_container import AudioSource
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
    TAKEN,
    UNFILTERED,
)
from speech_translator.media.live_input import LiveInput
from speech_translator.media.resampling import SAMPLE_RATE, Samples
from speech_translator.media.sniffing import AudioFormat

_BYTES_PER_S = SAMPLE_RATE * 4
_FILE_SLACK = 1 << 20

_Answer = tuple[bytes, dict[str, object]]


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
        here = HERE
        try:
            seccomp.restrict_calls()
        except OSError:  # an old kernel: the other limits stand
            here = UNFILTERED
        socket.send_fds(channel, [here], [pidfd])
        os.close(pidfd)
        message, fds, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 2)
        if message[:1] == JOB:
            channel.send(TAKEN + b"{}")
            kind, answer = _work(json.loads(message[1:]), fds, channel)
            answer["peak_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            channel.send(kind + json.dumps(answer).encode())
        status = 0
    finally:
        os._exit(status)


def _work(job: dict[str, object], fds: list[int], channel: socket.socket) -> _Answer:
    """Decode; the kind of the answer and its fields."""
    max_seconds = float(str(job["max_seconds"]))
    sandbox.limit_work(
        output_bytes=int(max_seconds * _BYTES_PER_S) + _FILE_SLACK,
        cpu_seconds=int(str(job["cpu_seconds"])),
    )

    source: AudioSource
    if job["live"]:
        live = LiveInput(fds[0], channel)
        source, sink = live, live.write
    else:
        source, sink = FileIO(fds[0], "rb"), partial(_write_file, fds[1])

    def report(seconds: float) -> None:
        channel.send(PROGRESS + json.dumps({"seconds": seconds}).encode())

    try:
        summary = audio_reader.AudioReader(
            source,
            AudioFormat(str(job["format"])),
            sink,
            max_seconds=max_seconds,
            progress=report,
        ).read()
    except InvalidAudio as error:
        return FAILED, {"code": error.code}
    except OSError:  # libavformat's are caught below it: this is the output
        return FAILED, {"code": NO_SPACE}
    except Exception:  # noqa: BLE001 - no memory, or a fault that nobody has foreseen
        return FAILED, {"code": DAMAGED}
    return DONE, asdict(summary)


def _write_file(fd: int, samples: Samples) -> None:
    view = samples.data.cast("B")
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    main()
