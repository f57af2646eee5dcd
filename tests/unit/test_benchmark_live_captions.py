"""Lags of sentences, whoever's captions they are taken from."""

import numpy as np

from benchmarks.live_audio import Sentence, Talk
from benchmarks.live_captions import Caption, Followed, followed
from benchmarks.live_session import Seen

TALK = Talk(
    np.zeros(16_000 * 6, np.float32),
    (Sentence("good morning", 0.5, 2.0), Sentence("how are you", 3.0, 5.0)),
)


def caption(at: float, committed: str, tail: str = "") -> Caption:
    return Caption(at, committed, f"{committed} {tail}")


def test_a_sentence_is_committed_with_its_last_word_and_shown_before() -> None:
    session = Followed(
        TALK,
        [
            caption(1.5, "", "Good"),
            caption(2.5, "Good", "morning."),
            caption(3.5, "Good morning."),
            caption(6.0, "Good morning.", "How are you?"),
            caption(7.0, "Good morning. How are you?"),
        ],
        ended_at=7.5,
        finished=True,
    )
    assert session.committed_lags() == [1.5, 2.0]
    assert session.shown_lags() == [0.5, 1.0]
    assert session.finish_s == 2.5


def test_a_word_that_was_taken_back_counts_from_when_it_came_again() -> None:
    shown = [caption(2.5, "", "good morning"), caption(3.0, "", "good"), caption(4.0, "", "")]
    whole = caption(6.0, "good morning how are you")
    assert Followed(TALK, [*shown, whole], 6.5, finished=True).shown_lags() == [4.0, 1.0]


def test_a_sentence_that_never_came_lags_as_long_as_the_client_waited() -> None:
    assert Followed(TALK, [caption(2.5, "good morning")], 65.0).committed_lags() == [0.5, 60.0]
    assert Followed(TALK, [], 65.0).committed_lags() == [63.0, 60.0]


def test_a_sentence_that_was_misheard_is_found_by_its_place() -> None:
    heard = [caption(3.0, "could mourning"), caption(6.0, "could mourning how are you")]
    assert Followed(TALK, heard, 6.5, finished=True).committed_lags() == [1.0, 1.0]


def test_our_finals_are_committed_and_our_partials_shown() -> None:
    events = [
        (1.5, {"type": "partial", "segment_id": 0, "text": "Good"}),
        (2.4, {"type": "partial", "segment_id": 0, "text": "Good morning"}),
        (2.8, {"type": "final", "segment_id": 0, "text": "Good morning."}),
        (5.2, {"type": "partial", "segment_id": 1, "text": "how are you"}),
        (5.9, {"type": "final", "segment_id": 1, "text": "How are you?"}),
        (6.2, {"type": "ack"}),
        (6.3, {"type": "done"}),
    ]
    session = followed(Seen(TALK, events))
    assert session.text == "Good morning. How are you?"
    assert session.captions[2].shown == "Good morning."
    assert [round(lag, 3) for lag in session.committed_lags()] == [0.8, 0.9]
    assert [round(lag, 3) for lag in session.shown_lags()] == [0.4, 0.2]
    assert (session.ended_at, session.finished) == (6.3, True)
