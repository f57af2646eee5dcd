"""A network between a client and a service that can be cut and slowed down."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on between its own address and another, both on this machine.

    Every piece waits for ``delay_s`` on its way. New connections go to ``target``, which may
    change; ``unix:///path`` is a socket's file.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.delay_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self, *, reset: bool = False) -> int:
        """Break every connection; how many there were. New ones are taken as before.

        Args:
            reset: both ends see a reset and no clean end.
        """
        cut, self._open = self._open, []
        for one in cut:
            with suppress(OSError):
                if reset:  # no time to linger
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
        return len(cut) // 2

    def close(self) -> None:
        """Stop."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = self._connect()
            except OSError:  # nobody is there
                near.close()
                continue
            self._open += [near, far]
            for pair in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pass_on, args=pair))
                self._threads[-1].start()

    def _connect(self) -> socket.socket:
        address = urlsplit(self.target)
        if address.scheme != "unix":
            return socket.create_connection((str(address.hostname), int(address.port or 80)))
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(address.path)
        except OSError:
            far.close()
            raise
        return far

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                if self.delay_s:
                    time.sleep(self.delay_s)
                sink.sendall(piece)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()


@contextmanager
def relayed(target: str) -> Iterator[Relay]:
    """A relay to an address such as ``http://127.0.0.1:8000``."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.close()
