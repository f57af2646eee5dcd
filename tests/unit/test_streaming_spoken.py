"""How a session speaks: in its own time, never over itself, and no more once it is interrupted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_translator.scalability.results import Speech
from speech_translator.streaming.config import SessionLimits
from speech_translator.streaming.messages import Final, SpeechStopped, SpokenAudio, Warned
from speech_translator.streaming.work import Foresee, Interpret, Speak
from tests.support.live_simulation import (
    PORTUGUESE,
    WINDOW,
    Simulation,
    request,
    silence,
    word,
)


def test_speech_waits_for_its_time_and_is_made_when_it_comes() -> None:
    sim = Simulation(request(speech=True), speech_s=30.0)
    for number in (1, 2):
        sim.hear(word(number), silence(30))
    assert {piece.segment_id for piece in sim.told(SpokenAudio)} == {1}
    sim.tick(30.0)
    assert {piece.segment_id for piece in sim.told(SpokenAudio)} == {1, 2}
    assert [work.speed for work in sim.started if isinstance(work, Speak)] == [1.0, 1.25]


def test_who_sends_faster_than_it_was_said_is_not_behind() -> None:
    sim = Simulation(request(speech=True), speech_s=15.0)
    for number in range(1, 6):
        sound = np.concatenate([word(number), silence(1000)])
        sim.perform(sim.session.receive_audio(sound))  # half a minute in no time
        sim.answer_all()
    assert {piece.segment_id for piece in sim.told(SpokenAudio)} == {1, 2, 3, 4, 5}
    assert {work.speed for work in sim.started if isinstance(work, Speak)} == {1.0}
    assert sim.told(Warned) == []
    sim.hear(word(6), silence(30), word(7), silence(30), word(8), silence(30))
    assert [work.speed for work in sim.started if isinstance(work, Speak)][-2:] != [1.0, 1.0]
    assert max(piece.segment_id for piece in sim.told(SpokenAudio)) == 6
    sim.tick(30.0)  # from there on the clock tells
    assert max(piece.segment_id for piece in sim.told(SpokenAudio)) == 8


def test_what_waits_to_be_spoken_is_spoken_at_the_end() -> None:
    sim = Simulation(request(speech=True), speech_s=30.0)
    for number in (1, 2):
        sim.hear(word(number), silence(30))
    sim.end()
    assert {piece.segment_id for piece in sim.told(SpokenAudio)} == {1, 2}
    assert sim.closed == "end"


def test_who_barges_in_hears_no_more_of_what_was_said_before() -> None:
    sim = Simulation(request(speech=True, barge_in=True), foresight=False, auto=False)
    for number in (1, 2):
        sim.hear(word(number), silence(30))
        sim.answer_all(Interpret)
    sim.answer(sim.only(Speak))
    late = sim.only(Speak)  # of the second
    sim.hear(word(3))
    assert late not in sim.works
    (stopped,) = sim.told(SpeechStopped)
    assert stopped.audio_s == pytest.approx(92 * WINDOW / 16_000, abs=0.04)
    before = len(sim.told(SpokenAudio))
    sim.perform(sim.session.complete(late, Speech(np.ones(9), 24_000, "v", "kokoro", PORTUGUESE)))
    assert len(sim.told(SpokenAudio)) == before
    sim.hear(silence(30))
    sim.end()
    sim.answer_all()
    assert {piece.segment_id for piece in sim.told(SpokenAudio)[before:]} == {3}
    assert sim.closed == "end"


@pytest.mark.parametrize("barge_in", [True, False])
def test_who_speaks_in_silence_or_did_not_ask_for_it_stops_nothing(*, barge_in: bool) -> None:
    sim = Simulation(request(speech=True, barge_in=barge_in))
    sim.hear(word(1), silence(30))
    if barge_in:
        sim.tick(6.0)  # all was heard
    sim.hear(word(2), silence(30))
    assert sim.told(SpeechStopped) == []
    assert {piece.segment_id for piece in sim.told(SpokenAudio)} == {1, 2}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_speech_never_overlaps_is_bounded_and_stops_for_good(data: st.DataObject) -> None:
    barge_in = data.draw(st.booleans())
    backlog = data.draw(st.integers(1, 4))
    sim = Simulation(
        request(speech=True, barge_in=barge_in),
        limits=SessionLimits(speech_backlog=backlog, idle_s=1e6),
        auto=False,
        speech_s=data.draw(st.sampled_from([0.5, 4.0, 12.0])),
    )
    for number in range(1, data.draw(st.integers(2, 12))):
        sim.hear(word(number, data.draw(st.integers(8, 60))), silence(30))
        sim.answer_all(Foresee)
        sim.answer_all(Interpret)
        if data.draw(st.booleans()):
            sim.answer_all(Speak)
        sim.tick(data.draw(st.sampled_from([0.0, 0.5, 5.0])))
        assert sum(isinstance(work, Speak) for work in sim.works.values()) <= 1
    sim.end()
    sim.answer_all()
    assert sim.closed == "end"
    check_speech(sim, backlog)


def check_speech(sim: Simulation, backlog: int) -> None:
    """What is true of the speech of any session."""
    pieces = [event for event in sim.events if isinstance(event, SpokenAudio)]
    order = [(piece.segment_id, piece.index) for piece in pieces]
    assert order == sorted(set(order))
    left_out = {warned.segment_id for warned in sim.told(Warned)}
    assert left_out.isdisjoint(piece.segment_id for piece in pieces)
    heard: set[int] = set()
    stopped = 0
    for event in sim.events:
        match event:
            case Final():
                heard.add(event.segment_id)
            case SpeechStopped():
                stopped = max(heard)
            case SpokenAudio():
                assert event.segment_id > stopped
    finals = {final.segment_id for final in sim.told(Final)}
    silent = finals - left_out - {piece.segment_id for piece in pieces}
    # One is being made and some wait when somebody barges in.
    assert len(silent) <= (backlog + 1) * len(sim.told(SpeechStopped))
