"""How long owners are left out whose inputs end processes."""

from __future__ import annotations

from speech_translator.scalability.offenders import (
    _OWNERS,
    FIRST_S,
    LONGEST_S,
    REMEMBERED_S,
    TOO_MANY,
    Offenders,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_few_convictions_have_no_consequence_and_more_have_a_longer_one_each_time() -> None:
    clock = Clock()
    offenders = Offenders(clock)
    waits = [offenders.convicted("eve") for _ in range(TOO_MANY + 3)]
    assert waits == [0.0] * (TOO_MANY - 1) + [FIRST_S * 2**n for n in range(4)]
    assert offenders.wait("ada") == 0
    clock.now += waits[-1]
    assert offenders.wait("eve") == 0


def test_a_suspension_has_a_longest_time() -> None:
    offenders = Offenders(Clock())
    assert max(offenders.convicted("eve") for _ in range(2000)) == LONGEST_S


def test_what_was_long_ago_is_forgotten() -> None:
    clock = Clock()
    offenders = Offenders(clock)
    for _ in range(5 * TOO_MANY):
        assert offenders.convicted("eve") == 0
        clock.now += REMEMBERED_S + 1


def test_as_many_owners_are_remembered_as_there_is_room_for() -> None:
    offenders = Offenders(Clock())
    for _ in range(TOO_MANY):
        offenders.convicted("eve")
    for number in range(_OWNERS):
        offenders.convicted(str(number))
    assert offenders.wait("eve") == 0
    assert len(offenders._records) == _OWNERS
