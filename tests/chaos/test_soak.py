"""Two minutes of steady load: nothing is lost, and nothing piles up. `make prove` takes twenty."""

from __future__ import annotations

from benchmarks.soak import judged, soak
from tests.chaos.conftest import Start, show

SECONDS = 120.0
PILE = 8
"""Descriptors or tasks more than before that are no leak yet: pools fill as they are used."""


async def test_nothing_piles_up_under_steady_load(start: Start) -> None:
    with start() as server:
        watch, load = await soak(server, SECONDS)
    found = judged(watch, load, SECONDS)
    show("soak", load, found=found)
    assert load.bad() == []
    assert load.count()["refused"] == 0
    assert found["more_tasks"] <= PILE
    assert len(found["processes"]) >= 3, "the service and its engines lived through it"
    for process in found["processes"]:
        assert process["more_descriptors"] <= PILE, process
        assert process["mib_a_minute"] < 20, process
