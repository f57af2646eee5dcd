"""Sessions that go on after their connection broke: nothing final is lost, or told twice."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_translator.engines.values import Samples
from speech_translator.errors import PoisonousInput, ResumeRefused
from speech_translator.languages import Language
from speech_translator.scalability.results import Likely
from speech_translator.streaming.messages import Ack, Failed, Final, Ready
from speech_translator.streaming.resuming import (
    KEPT_FINALS,
    SessionState,
    Superseded,
    begin,
    resume,
)
from speech_translator.streaming.work import Foresee
from tests.support.live_simulation import WINDOW, Simulation, request, silence, word
from tests.support.memory_sessions import MemorySessions

WINDOW_S = WINDOW / 16_000


def texts(sim: Simulation) -> list[str]:
    return [final.text for final in sim.told(Final)]


def test_what_a_client_may_rely_on_is_kept_before_it_is_told() -> None:
    sim = Simulation()
    sim.hear(word(1), silence(40))
    (final,) = sim.told(Final)
    seq = sim.seqs[sim.events.index(final)]
    state = sim.saved[0]
    assert state.told == ((seq, final),)
    assert state.segments == state.finals == 1
    assert state.seq >= seq
    ack = sim.told(Ack)[-1]
    assert max(state.window for state in sim.saved) * WINDOW_S >= ack.audio_s - 0.001


def test_a_session_goes_on_where_everything_is_final() -> None:
    first = Simulation()
    first.hear(word(1), silence(40), word(2, 40))  # broken off in the second word
    state = first.saved[-1]
    again = Simulation(state=state, last_seq=first.seqs[-1])
    (ready,) = again.told(Ready)
    assert ready.resumed
    assert ready.resume_token == "token"
    assert ready.audio_s == pytest.approx(state.window * WINDOW_S, abs=0.001)
    assert min(again.seqs) > max(first.seqs)
    heard = word(1), silence(40), word(2, 40), silence(40)
    audio = np.concatenate(heard)[state.window * WINDOW :]
    again.hear(audio)
    assert texts(again) == ["w2"]
    (final,) = again.told(Final)
    assert final.segment_id == 2
    assert final.start == pytest.approx(56 * WINDOW_S, abs=0.04)


def test_finals_that_were_not_seen_are_told_again_and_seen_ones_are_not() -> None:
    first = Simulation()
    first.hear(*[part for n in range(1, 4) for part in (word(n), silence(40))])
    finals = [i for i, event in enumerate(first.events) if isinstance(event, Final)]
    seen = first.seqs[finals[0]]
    again = Simulation(state=first.saved[-1], last_seq=seen)
    assert texts(again) == ["w2", "w3"]
    assert isinstance(again.events[0], Ready)
    # They are kept under their new numbers, so that another break loses none of them.
    third = Simulation(state=again.saved[0], last_seq=again.seqs[0])
    assert texts(third) == ["w2", "w3"]


def test_what_was_seen_is_kept_for_those_who_read_along() -> None:
    """After another break a reader who comes late still gets all of it, once and in order."""
    first = Simulation()
    first.hear(*[part for n in range(1, 4) for part in (word(n), silence(40))])
    finals = [i for i, event in enumerate(first.events) if isinstance(event, Final)]
    again = Simulation(state=first.saved[-1], last_seq=first.seqs[finals[1]])
    again.hear(word(4), silence(40))
    told = again.saved[-1].told
    assert [event.segment_id for _, event in told] == [1, 2, 3, 4]
    numbers = [number for number, _ in told]
    assert numbers == sorted(set(numbers))


def test_an_error_of_a_segment_is_told_again_too() -> None:
    first = Simulation(foresight=False, auto=False)
    first.hear(word(1), silence(40))
    (work_id,) = first.works
    first.fail(work_id, PoisonousInput("It crashed its engine twice."))
    again = Simulation(state=first.saved[-1], last_seq=1)
    (failed,) = again.told(Failed)
    assert (failed.segment_id, failed.code) == (1, "poisonous_input")


def test_the_language_that_was_surely_spoken_is_remembered() -> None:
    first = Simulation(request(source=None))
    first.hear(word(1, 100), silence(40))
    again = Simulation(request(source=None), state=first.saved[-1], last_seq=99)
    again.hear(word(2, 20), silence(30))
    hints = [work.language for work in again.started if isinstance(work, Foresee)]
    assert hints == [Likely(Language("en"))]


def test_what_is_kept_is_bounded() -> None:
    sim = Simulation()
    for number in range(1, KEPT_FINALS + 20):
        sim.hear(word(number, 8), silence(40))
    assert len(sim.saved[-1].told) == KEPT_FINALS


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 8), st.integers(0, 2**32), st.integers(1, 5))
def test_however_often_it_breaks_every_word_is_final_once(
    words: int, seed: int, breaks: int
) -> None:
    random = Random(seed)
    audio = np.concatenate(
        [
            part
            for n in range(1, words + 1)
            for part in (word(n, 20), silence(random.randint(30, 50)))
        ]
    )
    told: list[Final] = []
    seen, state, position = 0, SessionState("session", "{}"), 0
    for number in range(breaks + 1):
        last = number == breaks
        sim = Simulation(state=state, last_seq=seen if number else None)
        position = state.window * WINDOW
        rest: Samples = audio[position:]
        upto = len(rest) if last else random.randint(0, len(rest))
        sim.hear(rest[:upto])
        if last:
            sim.end()
        # The client sees a part of what was sent; what is kept was kept before that.
        count = len(sim.events) if last else random.randint(0, len(sim.events))
        for seq, event in zip(sim.seqs[:count], sim.events[:count], strict=True):
            assert seq > seen
            seen = seq
            if isinstance(event, Final):
                told.append(event)
        state = sim.saved[-1] if sim.saved else state
    assert [final.text for final in told] == [f"w{n}" for n in range(1, words + 1)]
    assert all(earlier.end <= later.start for earlier, later in pairwise(told))


async def test_a_token_is_good_once_and_for_its_owner_and_fences_the_older_connection() -> None:
    store = MemorySessions()
    old, state = await begin(store, "ada", '{"source_language": "en"}')
    assert old.token
    for owner, token in (("eve", old.token), ("ada", "nonsense"), ("ada", "\ud800")):
        with pytest.raises(ResumeRefused):
            await resume(store, owner, token)
    new, found = await resume(store, "ada", old.token)
    assert found == state
    with pytest.raises(ResumeRefused):
        await resume(store, "ada", old.token)
    with pytest.raises(Superseded):
        await old.save(state)
    await new.save(state)
    await old.end()
    assert store.sessions
    await new.end()
    with pytest.raises(ResumeRefused):
        await resume(store, "ada", new.token or "")


async def test_without_a_store_sessions_have_no_token_and_cannot_be_resumed() -> None:
    keeper, state = await begin(None, "ada", "{}")
    assert keeper.token is None
    await keeper.save(state)
    await keeper.end()
    with pytest.raises(ResumeRefused):
        await resume(None, "ada", "token")
