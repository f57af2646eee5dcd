"""Ports for what cannot choose its own, or comes back to the same one."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_CHOSEN = range(10_000, 30_000)
"""Below those that Linux gives to connections on their way out, of which a test makes thousands:
one of them would keep a service from coming back to its port."""


def free_port() -> int:
    """A port of this machine that nobody has now, and that no connection is given later."""
    for port in random.sample(_CHOSEN, 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("Each of 100 ports is taken.")
