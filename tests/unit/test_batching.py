import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.engines.values import Priority, TranslateCall
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.batching import BatchingConfig, BatchQueue, Job

NOW = [0.0]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def job(
    loop: asyncio.AbstractEventLoop,
    text: str = "a",
    target: str = "pt",
    priority: Priority = Priority.INTERACTIVE,
    until: float = 10.0,
) -> Job:
    deadline = Deadline(until, lambda: NOW[0])
    return Job(TranslateCall(text, "en", target), priority, deadline, loop.create_future(), 0.0)


def test_the_most_urgent_goes_first_and_equals_in_order(loop: asyncio.AbstractEventLoop) -> None:
    queue = BatchQueue(BatchingConfig())
    bulk, first, second, live = (
        job(loop, priority=priority)
        for priority in (Priority.BULK, Priority.INTERACTIVE, Priority.INTERACTIVE, Priority.LIVE)
    )
    for one in (bulk, first, second, live):
        queue.push(one)
    assert [queue.take()[0] for _ in range(4)] == [live, first, second, bulk]
    assert queue.take() == []


def test_a_batch_is_of_one_group_and_of_the_preferred_size(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = BatchQueue(BatchingConfig(preferred=3))
    jobs = [job(loop, target=target) for target in ("pt", "fr", "pt", "pt", "pt", "fr")]
    for one in jobs:
        queue.push(one)
    assert queue.take() == [jobs[0], jobs[2], jobs[3]]
    assert queue.take() == [jobs[1], jobs[5]]
    assert queue.take() == [jobs[4]]


def test_live_batches_stay_small(loop: asyncio.AbstractEventLoop) -> None:
    queue = BatchQueue(BatchingConfig(preferred=8, live=2))
    for _ in range(3):
        queue.push(job(loop, priority=Priority.LIVE))
    assert [len(queue.take()), len(queue.take())] == [2, 1]


def test_what_is_late_or_given_up_never_leaves(loop: asyncio.AbstractEventLoop) -> None:
    queue = BatchQueue(BatchingConfig(preferred=8))
    late, gone, wanted = job(loop, until=-1), job(loop), job(loop)
    for one in (late, gone, wanted):
        queue.push(one)
    gone.answer.cancel()
    queue.forget(gone)
    assert len(queue) == 2
    assert queue.take() == [wanted]
    assert len(queue) == 0


@given(
    st.lists(st.sampled_from(["push", "take", "give up"]), max_size=80),
    st.integers(1, 4),
)
def test_every_job_leaves_once_or_was_given_up_and_the_count_is_right(
    steps: list[str], preferred: int
) -> None:
    loop = asyncio.new_event_loop()
    queue = BatchQueue(BatchingConfig(preferred=preferred, limit=5))
    waiting: list[Job] = []
    for number, step in enumerate(steps):
        if step == "push":
            waiting.append(job(loop, target="pt" if number % 3 else "fr"))
            queue.push(waiting[-1])
        elif step == "give up" and waiting:
            given_up = waiting.pop(number % len(waiting))
            given_up.answer.cancel()
            queue.forget(given_up)
        else:
            taken = queue.take()
            assert 0 < len(taken) <= preferred or not waiting
            assert taken[:1] == waiting[:1]
            for one in taken:
                waiting.remove(one)
                one.answer.cancel()
                queue.forget(one)  # as a caller does that has its answer
        assert len(queue) == len(waiting)
        assert queue.full() == (len(waiting) >= 5)
    assert queue.drain() or not waiting
    loop.close()
