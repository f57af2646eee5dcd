import asyncio
from typing import Any, cast

import numpy as np
import pytest

from speech_translator.engines.values import Priority, TranscribeCall, TranslateCall
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability import suspects
from speech_translator.scalability.batching import Job
from speech_translator.scalability.suspects import KILLS_ALONE, Docket, End, digest_of, guilty

ONE, OTHER = TranslateCall("one", "en", "pt"), TranslateCall("two", "en", "pt")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def job() -> Job:
    answer = cast("asyncio.Future[Any]", None)
    return Job(ONE, Priority.LIVE, Deadline(1e9), answer, 0.0)


@pytest.mark.parametrize("first", ["crashed", "hung", "killed"])
@pytest.mark.parametrize("second", ["crashed", "hung"])
def test_the_second_end_convicts_who_was_alone(first: End, second: End) -> None:
    one = job()
    assert not guilty(one, first, alone=False)
    assert guilty(one, second, alone=True)


def test_the_first_end_convicts_nobody_even_alone() -> None:
    assert not guilty(job(), "crashed", alone=True)


def test_company_is_an_excuse_every_time() -> None:
    one = job()
    assert not any(guilty(one, "crashed", alone=False) for _ in range(10))


def test_kills_from_outside_convict_late() -> None:
    one = job()
    assert not any(guilty(one, "killed", alone=False) for _ in range(10))
    verdicts = [guilty(one, "killed", alone=True) for _ in range(KILLS_ALONE)]
    assert verdicts == [False] * (KILLS_ALONE - 1) + [True]


def test_a_conviction_stands_for_its_term_and_for_that_input_only() -> None:
    clock = Clock()
    docket = Docket(clock)
    docket.convict(ONE, "crashes")
    docket.suspect(ONE)  # an old suspicion does not soften it
    assert docket.standing(TranslateCall("one", "en", "pt")) == "crashes"
    assert docket.standing(OTHER) is None
    assert docket.standing(TranslateCall("one", "en", "fr")) is None
    clock.now = suspects.CONVICTED_FOR_S
    assert docket.standing(ONE) is None
    assert len(docket) == 0


def test_a_suspicion_ends_by_an_answer_or_by_time() -> None:
    clock = Clock()
    docket = Docket(clock)
    docket.suspect(ONE)
    docket.suspect(OTHER)
    assert docket.standing(ONE) == docket.standing(OTHER) == "suspect"
    docket.clear(ONE)
    assert docket.standing(ONE) is None
    clock.now = suspects.SUSPECTED_FOR_S
    assert docket.standing(OTHER) is None


def test_a_suspicion_may_become_a_conviction() -> None:
    docket = Docket(Clock())
    docket.suspect(ONE)
    docket.convict(ONE, "hangs")
    assert docket.standing(ONE) == "hangs"
    assert len(docket) == 1


def test_it_remembers_a_bounded_number_and_forgets_the_oldest() -> None:
    docket = Docket(Clock(), capacity=3)
    calls = [TranslateCall(str(number), "en", "pt") for number in range(5)]
    for call in calls:
        docket.convict(call, "crashes")
    assert len(docket) == 3
    assert [docket.standing(call) for call in calls] == [None, None] + ["crashes"] * 3


def test_calls_of_another_shape_are_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    docket = Docket(Clock())
    docket.convict(TranscribeCall(np.zeros(100, np.float32)), "crashes")
    monkeypatch.setattr(suspects, "digest_of", None)
    assert docket.standing(TranscribeCall(np.zeros(101, np.float32))) is None
    assert docket.standing(ONE) is None


def test_a_digest_covers_all_of_a_call() -> None:
    ones, zeros = np.ones(100, np.float32), np.zeros(100, np.float32)
    calls = [
        ONE,
        TranslateCall("one", "en", "fr"),
        TranscribeCall(ones),
        TranscribeCall(zeros),
        TranscribeCall(ones, "en"),
    ]
    assert len({digest_of(call) for call in calls}) == len(calls)
    assert digest_of(TranscribeCall(ones)) == digest_of(TranscribeCall(ones.copy()))
