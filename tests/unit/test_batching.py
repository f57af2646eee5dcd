from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from speech_translator.engines.values import SAMPLE_RATE, Priority, TranscribeCall, TranslateCall
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.batching import BatchingConfig, BatchQueue, Job

FAR = 1e9


class Answer:
    """As much of a future as a queue looks at."""

    given = False

    def done(self) -> bool:
        return self.given


class Now:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def job(
    text: str = "a",
    target: str = "pt",
    priority: Priority = Priority.INTERACTIVE,
    until: float = FAR,
    clock: Now | None = None,
) -> Job:
    answer: Any = Answer()
    deadline = Deadline(until, clock or Now())
    return Job(TranslateCall(text, "en", target), priority, deadline, answer, 0.0)


def clip(seconds: float) -> Job:
    answer: Any = Answer()
    audio = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    return Job(TranscribeCall(audio, "en"), Priority.BULK, Deadline(FAR, Now()), answer, 0.0)


def queue(preferred: int = 1, *jobs: Job, live: int | None = None, floor: float = 0) -> BatchQueue:
    made = BatchQueue(BatchingConfig(preferred, preferred if live is None else live, floor))
    for one in jobs:
        made.push(one)
    return made


def test_the_most_urgent_goes_first_and_equals_in_order() -> None:
    bulk, first, second, live = (
        job(priority=priority)
        for priority in (Priority.BULK, Priority.INTERACTIVE, Priority.INTERACTIVE, Priority.LIVE)
    )
    waiting = queue(1, bulk, first, second, live)
    assert [waiting.take()[0] for _ in range(4)] == [live, first, second, bulk]
    assert waiting.take() == []


def test_a_batch_is_of_one_group_and_of_the_preferred_size() -> None:
    jobs = [job(target=target) for target in ("pt", "fr", "pt", "pt", "pt", "fr")]
    waiting = queue(3, *jobs)
    assert waiting.take() == [jobs[0], jobs[2], jobs[3]]
    assert waiting.take() == [jobs[1], jobs[5]]
    assert waiting.take() == [jobs[4]]


def test_a_batch_does_not_mix_priorities() -> None:
    waiting = queue(8, job(priority=Priority.BULK), job(), job())
    assert len(waiting.take()) == 2


def test_live_batches_stay_small() -> None:
    waiting = queue(8, *(job(priority=Priority.LIVE) for _ in range(3)), live=2)
    assert [len(waiting.take()), len(waiting.take())] == [2, 1]


def test_only_live_recognition_is_kept_small() -> None:
    assert BatchingConfig.of("recognition", 8).live == 2
    assert BatchingConfig.of("recognition", 1).live == 1
    assert BatchingConfig.of("translation", 8).live == 8


def test_a_short_clip_does_not_wait_for_a_long_one() -> None:
    config = BatchingConfig.of("recognition", 4)
    short, long, alike, longer = clip(9), clip(28), clip(15), clip(30)
    waiting = BatchQueue(config)
    for one in (short, long, alike, longer):
        waiting.push(one)
    assert waiting.take() == [short, alike]
    assert waiting.take() == [long, longer]


def test_below_the_floor_all_are_alike() -> None:
    config = BatchingConfig.of("recognition", 4)
    clips = [clip(0.5), clip(7), clip(3)]
    waiting = BatchQueue(config)
    for one in clips:
        waiting.push(one)
    assert set(waiting.take()) == set(clips)


def test_the_nearest_in_size_go_together() -> None:
    jobs = [job("x" * size) for size in (100, 60, 190, 95, 105)]
    assert queue(3, *jobs).take() == [jobs[0], jobs[3], jobs[4]]


def test_what_is_late_or_given_up_never_leaves() -> None:
    late, gone, wanted, late_too = job(until=-1), job(), job(), job(until=-1)
    waiting = queue(8, late, gone, wanted, late_too)
    waiting.forget(gone)
    assert len(waiting) == 3
    assert waiting.take() == [wanted]
    assert len(waiting) == 0


def test_who_has_left_can_leave_again() -> None:
    one = job()
    waiting = queue(1, one)
    assert waiting.take() == [one]
    waiting.forget(one)
    assert len(waiting) == 0


def test_draining_empties_it() -> None:
    jobs = [job(priority=Priority.BULK), job(), job(target="fr")]
    waiting = queue(1, *jobs)
    assert waiting.drain() == [jobs[1], jobs[2], jobs[0]]
    assert len(waiting) == 0
    assert waiting.take() == []


class Queueing(RuleBasedStateMachine):
    """The queue beside a plain list of what waits, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Now()
        self.queue = queue(3, live=2, floor=4)
        self.model: list[Job] = []

    @rule(
        priority=st.sampled_from(Priority),
        language=st.sampled_from(["pt", "fr"]),
        size=st.integers(1, 40),
        patience=st.integers(1, 20),
    )
    def push(self, priority: Priority, language: str, size: int, patience: int) -> None:
        until = self.clock.seconds + patience
        one = job("x" * size, language, priority, until, self.clock)
        self.queue.push(one)
        self.model.append(one)

    @rule(seconds=st.integers(1, 10))
    def wait(self, seconds: int) -> None:
        self.clock.seconds += seconds

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.model))
        one.answer.given = True  # type: ignore[attr-defined]
        self.queue.forget(one)
        self.model.remove(one)

    @rule()
    def take(self) -> None:
        batch = self.queue.take()
        wanted = [one for one in self.model if not one.deadline.expired()]
        if not batch:
            assert not wanted
            self.model.clear()  # all were late
            return
        head = min(wanted, key=lambda one: one.priority)
        assert batch[0] is head
        assert len(batch) <= (2 if head.priority is Priority.LIVE else 3)
        for one in batch:
            assert one in wanted
            assert (one.priority, one.group) == (head.priority, head.group)
            assert self.queue.config.alike(head.size, one.size)
        left_behind = [
            one
            for one in wanted
            if one not in batch
            and (one.priority, one.group) == (head.priority, head.group)
            and self.queue.config.alike(head.size, one.size)
        ]
        assert not left_behind or len(batch) == (2 if head.priority is Priority.LIVE else 3)
        self.model = [one for one in self.model if one.waiting]

    @invariant()
    def counts_what_waits(self) -> None:
        assert len(self.queue) == len(self.model) == sum(one.waiting for one in self.model)


Queueing.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestQueueing = Queueing.TestCase
