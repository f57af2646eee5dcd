"""Turns among owners: in the ratio of their weights, whoever floods, and in the order of coming."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_translator.engines.values import Priority, TranslateCall
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability import fair_line
from speech_translator.scalability.batching import BatchingConfig, BatchQueue, Job
from speech_translator.scalability.fair_line import FairLine


@dataclass(eq=False)
class Work:
    owner: str
    weight: int = 1
    number: int = 0


def served(line: FairLine[Work], turns: int) -> list[Work]:
    found = []
    for _ in range(turns):
        job = line.next()
        if job is None:
            break
        line.serve(job)
        found.append(job)
    return found


def test_one_owners_jobs_are_served_as_they_came() -> None:
    line: FairLine[Work] = FairLine()
    jobs = [Work("ada", number=n) for n in range(5)]
    for job in jobs:
        line.add(job)
    assert served(line, 9) == jobs
    assert not line


def test_a_flood_delays_nobody_else_by_more_than_a_turn() -> None:
    line: FairLine[Work] = FairLine()
    for number in range(1_000):
        line.add(Work("flood", number=number))
    served(line, 100)
    line.add(Work("ada"))
    assert "ada" in [job.owner for job in served(line, 2)]


@pytest.mark.parametrize(("heavy", "light"), [(8, 1), (4, 2), (2, 1), (1, 1)])
def test_turns_are_in_the_ratio_of_the_weights(heavy: int, light: int) -> None:
    line: FairLine[Work] = FairLine()
    for _ in range(1_000):
        line.add(Work("heavy", heavy))
        line.add(Work("light", light))
    owners = [job.owner for job in served(line, 900)]
    share = owners.count("heavy") / len(owners)
    assert share == pytest.approx(heavy / (heavy + light), abs=0.01)


def test_who_was_away_saves_no_turns_up() -> None:
    line: FairLine[Work] = FairLine()
    for _ in range(100):
        line.add(Work("steady"))
    served(line, 50)
    for _ in range(100):
        line.add(Work("late"))
    owners = [job.owner for job in served(line, 20)]
    assert 9 <= owners.count("late") <= 11


def test_emptying_ones_line_between_turns_brings_no_advantage() -> None:
    line: FairLine[Work] = FairLine()
    for _ in range(100):
        line.add(Work("many"))
    owners = []
    for _ in range(40):
        if not any(job.owner == "one" for job in line):
            line.add(Work("one"))
        owners += [job.owner for job in served(line, 1)]
    assert 19 <= owners.count("one") <= 21


def test_who_is_idle_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_line, "_KEPT_IDLE", 10)
    line: FairLine[Work] = FairLine()
    for _ in range(500):
        line.add(Work("steady"))
    for number in range(200):
        line.add(Work(f"owner-{number}"))
        served(line, 2)
        assert len(line._times) <= 12
        assert len(line._heap) <= 12
    served(line, 500)
    assert not line._times
    assert not line._heap


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.integers(1, 4), st.sampled_from(["add", "serve", "drop"])
        ),
        max_size=200,
    )
)
def test_nothing_is_lost_or_served_twice(steps: list[tuple[str, int, str]]) -> None:
    line: FairLine[Work] = FairLine()
    waiting: list[Work] = []
    for owner, weight, step in steps:
        if step == "add":
            waiting.append(Work(owner, weight))
            line.add(waiting[-1])
        elif step == "serve" and waiting:
            (job,) = served(line, 1)
            waiting.remove(job)
        elif waiting:
            job = waiting.pop()
            line.remove(job)
        assert sorted(map(id, line)) == sorted(map(id, waiting))
        assert bool(line) == bool(waiting)
    assert len(served(line, 500)) == len(waiting)


def job(
    owner: str,
    text: str,
    weight: int = 1,
    priority: Priority = Priority.INTERACTIVE,
    into: str = "pt",
) -> Job:
    call = TranslateCall(text, "en", into)
    answer = type("Pending", (), {"done": lambda _self: False})()
    return Job(call, priority, Deadline.after(60), answer, 0.0, owner, weight)  # type: ignore[arg-type]


def test_batches_are_charged_to_each_owner_in_them() -> None:
    queue = BatchQueue(BatchingConfig(preferred=4, live=4, floor=48.0))
    for number in range(20):
        queue.push(job("flood", f"text {number}"))
    queue.push(job("ada", "one text"))
    first, second = queue.take(), queue.take()
    assert len(first) == len(second) == 4
    assert "ada" in {each.owner for each in [*first, *second][:5]}


def batches_until(queue: BatchQueue, owner: str) -> list[list[Job]]:
    """Batches up to the one that has an owner's last job."""
    found = []
    while any(each.owner == owner for line in queue._lines.values() for each in line):
        found.append(queue.take())
    return found


def test_a_batch_has_places_for_those_who_are_furthest_behind() -> None:
    queue = BatchQueue(BatchingConfig(preferred=16, live=16, floor=48.0))
    for number in range(400):
        queue.push(job("flood", f"text {number}"))
    for number in range(20):
        queue.push(job("ada", f"text {number}", 8))
    batches = batches_until(queue, "ada")
    assert len(batches) <= 4
    assert all(len(batch) == 16 for batch in batches)


def test_who_rode_along_puts_nobody_behind_who_comes() -> None:
    queue = BatchQueue(BatchingConfig(preferred=16, live=16, floor=48.0))
    for number in range(40):
        queue.push(job("rides", f"text {number:02}"))
    for number in range(40):
        queue.push(job("alone", "text", into=f"group {number}"))
    queue.take()
    queue.push(job("comes", "text", into="a group"))
    assert len(batches_until(queue, "comes")) <= 3


def test_coming_and_going_leaves_nothing_behind() -> None:
    line: FairLine[Work] = FairLine()
    line.add(Work("steady"))
    for _ in range(100):
        lone = Work("ada")
        line.add(lone)
        line.remove(lone)
    assert len(line._heap) <= 2
    line.add(Work("ada"))
    assert {each.owner for each in served(line, 2)} == {"steady", "ada"}


def test_live_work_goes_before_any_share() -> None:
    queue = BatchQueue(BatchingConfig())
    queue.push(job("big", "first", 8))
    queue.push(job("small", "now", 1, Priority.LIVE))
    assert [each.owner for each in queue.take()] == ["small"]
