"""One real service for the whole suite: its models load once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Server, start_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The service with its default settings, ready. Tests leave it as they find it."""
    with start_server() as running:
        yield running
