"""Translations are spoken clause by clause, and nothing of them is lost or told twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.languages import Language
from speech_translator.scalability.results import Speech
from speech_translator.streaming.playback import Pace, Playback
from speech_translator.streaming.speaking import AHEAD_S, MAX_SPEED, SpeechQueue, speed_of
from speech_translator.streaming.work import Speak

PT = Language.parse("pt")
LONG = "Depois de um longo tempo, o homem voltou para casa; ninguém sabia por onde ele andara."


def queue_of() -> SpeechQueue:
    return SpeechQueue(4, Playback(), Pace(0.0, 0.0))


def speech(seconds: float) -> Speech:
    return Speech(np.full(round(seconds * 24_000), 0.5, np.float32), 24_000, "voice", "kokoro", PT)


def spoken(queue: SpeechQueue, *seconds: float) -> list[tuple[int, int, bool, int]]:
    found = []
    for each in seconds:
        speak = queue.next(0.0)
        assert speak is not None
        found += [
            (told.segment_id, told.index, told.last, len(told.audio))
            for told in queue.said(speak, speech(each), 0.0)
        ]
    return found


def test_pieces_are_counted_over_the_clauses_of_a_sentence() -> None:
    queue = queue_of()
    queue.add(Speak(1, LONG, PT))
    queue.add(Speak(2, "Bom.", PT))
    assert [piece[:3] for piece in spoken(queue, 3.0, 1.0, 2.5, 1.0)] == [
        (1, 0, False),
        (1, 1, False),
        (1, 2, False),
        (1, 3, False),
        (1, 4, True),
        (2, 0, True),
    ]
    assert queue.next(0.0) is None


def test_the_end_is_told_where_the_last_clause_is_silent() -> None:
    queue = queue_of()
    queue.add(Speak(1, LONG, PT))
    assert spoken(queue, 1.0, 1.0, 0.0)[-1] == (1, 2, True, 0)
    queue.add(Speak(2, "...", PT))
    assert spoken(queue, 0.0) == []


def test_where_a_clause_fails_the_next_sentence_is_spoken() -> None:
    queue = queue_of()
    queue.add(Speak(1, LONG, PT))
    queue.add(Speak(2, "Bom.", PT))
    spoken(queue, 1.0)
    queue.next(0.0)
    queue.failed()
    assert spoken(queue, 1.0) == [(2, 0, True, 48_000)]


# How far behind


def test_what_is_heard_is_told_by_the_clock() -> None:
    playback = Playback()
    assert not playback.sounds(0.0)
    playback.plays(2.0, 10.0)
    playback.plays(1.0, 11.0)  # behind the first, not over it
    playback.plays(0.0, 90.0)
    assert playback.left_s(11.0) == 2.0
    assert playback.sounds(12.9)
    assert not playback.sounds(13.5)
    playback.plays(1.0, 20.0)
    assert playback.left_s(20.5) == 0.5
    playback.stop()
    assert playback.left_s(20.5) == 0.0
    assert not playback.sounds(20.5)


@given(st.floats(0, 100), st.floats(0, 100))
def test_speech_is_faster_the_further_it_is_behind_and_never_too_fast(
    one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert 1.0 <= speed_of(less) <= speed_of(more) <= MAX_SPEED


def test_a_sentence_has_one_speed_for_all_its_clauses_by_what_is_before_and_behind_it() -> None:
    queue = queue_of()
    speeds = []
    for segments in ((1,), (2, 3)):
        for segment in segments:
            queue.add(Speak(segment, LONG, PT))
        while (speak := queue.next(0.0)) is not None:
            speeds.append(speak.speed)
            queue.said(speak, speech(1.0), 0.0)
    # 3 s are to be heard before the second, and as it begins the third waits, too: 6 s more.
    assert speeds == [1.0, 1.0, 1.0, *[MAX_SPEED] * 3, 1.15, 1.15, 1.15]


def test_what_cannot_be_heard_soon_is_not_made_yet_unless_nothing_else_comes() -> None:
    queue = queue_of()
    for segment in (1, 2, 3):
        queue.add(Speak(segment, "Bom.", PT))
    assert spoken(queue, AHEAD_S + 5.0)
    assert queue.wakes_at == 5.0
    assert queue.next(4.9) is None
    assert queue.next(5.0) is not None
    queue.said(Speak(2, "Bom.", PT), speech(30.0), 5.0)
    assert queue.next(6.0) is None
    assert queue.next(6.0, last=True) is not None
    assert queue.wakes_at is None


def test_an_interruption_takes_what_is_left_but_only_while_something_is_heard() -> None:
    queue = queue_of()
    queue.add(Speak(1, LONG, PT))
    assert not queue.interrupt(0.0)
    spoken(queue, 2.0)
    queue.add(Speak(2, "Bom.", PT))
    assert queue.interrupt(1.0)
    assert queue.next(1.0) is None
    assert not queue.interrupt(1.0)
    queue.add(Speak(3, "Bom.", PT))
    speak = queue.next(1.0)
    assert speak is not None
    assert (speak.segment_id, speak.speed) == (3, 1.0)


def test_a_talk_is_ahead_of_the_clock_by_what_came_sooner_than_it_was_said() -> None:
    pace = Pace(10.0, 100.0)
    pace.came(11.0, 101.0)
    assert pace.ahead_s == 0.0
    pace.came(31.0, 102.0)
    assert pace.ahead_s == 19.0
    pace.came(31.5, 110.0)  # and is not set back by a pause
    assert pace.ahead_s == 19.0
