"""Unit tests open no sockets; what needs an address is an integration test."""

import socket

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Make an address an error. Pairs of connected sockets stay: every event loop has one."""

    def refuse(*_args):
        raise AssertionError("a unit test uses the network: move it to tests/integration")

    for name in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
