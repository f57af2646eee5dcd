"""A live stream as the file that libavformat reads. Runs inside the sandbox."""

from __future__ import annotations

import json
import socket

import numpy as np

from speech_translator.media.decoder_protocol import WANTING
from speech_translator.media.resampling import Samples


class LiveInput:
    """Bytes come in over a stream socket, samples go back over the same one.

    Before it waits for more, it tells the pool how much it has used up: by then everything that
    could be decoded is on its way back, so the pool need not guess how long to wait for it.

    Args:
        fd: the stream socket.
        channel: where the pool listens.
    """

    def __init__(self, fd: int, channel: socket.socket) -> None:
        # Stated in full, so that Python need not ask the kernel what the filter keeps from it.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=fd)
        self._channel = channel
        self._consumed = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, as soon as there are any; none at the end."""
        try:
            data = self._socket.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._channel.send(WANTING + json.dumps({"consumed": self._consumed}).encode())
            data = self._socket.recv(size)
        self._consumed += len(data)
        return data

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """No: a stream has no way back."""
        return False

    def write(self, samples: Samples) -> None:
        """Send samples back."""
        self._socket.sendall(np.ascontiguousarray(samples, np.float32).tobytes())
