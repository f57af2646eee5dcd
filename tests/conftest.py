"""What holds for every test: the same examples at every run, and nothing left in the tree."""

import pytest
from hypothesis import settings

# No deadline: the machine is shared. The search for new examples belongs to `make prove`.
settings.register_profile("repeatable", deadline=None, database=None, derandomize=True)
settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Faults are few and close together here; `make chaos` makes them many."""
    group = parser.getgroup("chaos")
    group.addoption("--chaos-rounds", default="1", help="times that each fault is injected")
    group.addoption("--chaos-pause-s", default="1", help="seconds between two faults")
