"""Silences decoded on the chance that an utterance has ended, and how long is waited then."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from speech_translator.engines.values import Samples
from speech_translator.errors import EngineFailed, EngineUnavailable
from speech_translator.languages import Language
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import Final, Partial
from speech_translator.streaming.partials import is_whole
from speech_translator.streaming.work import Foresee, Interpret, Render
from tests.support import live_simulation
from tests.support.live_simulation import ENGLISH, Simulation, request, silence, word

WINDOW_S = 0.032


def begun(sim: Simulation, kind: type) -> int:
    return sum(isinstance(work, kind) for work in sim.started)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is recognised sounds like a whole sentence."""
    plain = live_simulation.interpretation

    def spoken(samples: Samples, targets: Sequence[Language]) -> Interpretation:
        said = plain(samples, targets)
        return Interpretation(f"{said.text}.", ENGLISH, 0.9, said.translations)

    monkeypatch.setattr(live_simulation, "interpretation", spoken)


def test_an_utterance_is_decoded_once_and_before_its_silence_is_over() -> None:
    sim = Simulation()
    sim.hear(word(1), word(2), silence(8), frame=512)
    assert (begun(sim, Foresee), sim.told(Final)) == (1, [])
    sim.hear(silence(40))
    (final,) = sim.told(Final)
    assert (final.text, final.translations) == ("w1 w2", {"pt": "pt:w1 w2"})
    assert begun(sim, Interpret) == 0


@pytest.mark.usefixtures("whole")
def test_a_whole_sentence_is_final_sooner() -> None:
    sim = Simulation()
    sim.hear(word(1), silence(15), frame=512)
    (final,) = sim.told(Final)
    assert final.text == "w1."
    assert final.latency_ms <= 500


def test_a_phrase_that_breaks_off_is_waited_for() -> None:
    sim = Simulation()
    sim.hear(word(1), silence(23), word(2), silence(23), frame=512)
    assert sim.told(Final) == []
    sim.hear(silence(5), frame=512)
    assert [final.text for final in sim.told(Final)] == ["w1 w2"]


@pytest.mark.usefixtures("whole")
def test_speech_that_goes_on_makes_what_was_foreseen_worthless() -> None:
    sim = Simulation()
    sim.hear(word(1), silence(9), word(2), silence(40), frame=512)
    assert [final.text for final in sim.told(Final)] == ["w1 w2."]
    assert begun(sim, Foresee) == 2


def test_a_decode_that_still_runs_at_the_end_is_adopted_and_not_begun_again() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(30))
    assert begun(sim, Interpret) == 0
    sim.answer_all()
    assert [final.text for final in sim.told(Final)] == ["w1"]
    assert begun(sim, Foresee) == 1


def test_one_that_fails_after_its_adoption_is_tried_again_like_any_other() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(30))
    sim.fail(sim.only(Foresee), EngineUnavailable("restarting"))
    assert sim.told(Final) == []
    sim.auto = True
    sim.tick(2)
    assert [final.text for final in sim.told(Final)] == ["w1"]


@pytest.mark.parametrize("error", [EngineUnavailable("restarting"), EngineFailed("never")])
def test_one_that_fails_before_costs_nothing(error: EngineFailed) -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(9), frame=512)
    sim.fail(sim.only(Foresee), error)
    sim.hear(silence(30))
    sim.answer_all()
    assert [final.text for final in sim.told(Final)] == ["w1"]


def test_a_failed_translation_is_not_taken_over() -> None:
    sim = Simulation(auto=False)
    sim.hear(word(1), silence(9), frame=512)
    work_id = sim.only(Foresee)
    sim.works.pop(work_id)
    said = Interpretation("w1", ENGLISH, 0.9, {}, {"pt": EngineUnavailable("restarting")})
    sim.perform(sim.session.complete(work_id, said))
    sim.auto = True
    sim.hear(silence(40))
    (final,) = sim.told(Final)
    assert final.translations == {"pt": "pt:w1"}


def test_nothing_is_foreseen_while_others_wait_to_be_begun() -> None:
    sim = Simulation(auto=False)
    for number in range(1, 5):
        sim.hear(word(number), silence(30))
    assert begun(sim, Foresee) + begun(sim, Interpret) == 2
    sim.auto = True
    sim.answer_all()
    assert [final.text for final in sim.told(Final)] == ["w1", "w2", "w3", "w4"]


def test_partials_say_what_is_confirmed_and_translate_whole_clauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = live_simulation.interpretation

    def spoken(samples: Samples, targets: Sequence[Language]) -> Interpretation:
        said = plain(samples, targets)
        words = said.text.replace("w2", "w2,")
        return Interpretation(words, ENGLISH, 0.9, said.translations)

    monkeypatch.setattr(live_simulation, "interpretation", spoken)
    sim = Simulation(request(partials=True))
    sim.hear(*[word(number, 20) for number in range(1, 7)])
    partials = sim.told(Partial)
    for earlier, later in pairwise(partials):
        kept = earlier.text[: earlier.confirmed_chars]
        assert later.text.startswith(kept)
    last = partials[-1]
    assert last.text.startswith("w1 w2, w3")
    assert last.translations == {"pt": "pt:w1 w2,"}
    assert begun(sim, Render) == 1


@pytest.mark.parametrize(
    ("text", "whole_sentence"),
    [
        ("That is all.", True),
        ('He said: "Really?"', True),
        ("好的。", True),
        ("And then...", False),
        ("And then, ", False),
        ("one two", False),
        ("", False),
        ("Then I met Prof.", False),
        ("Then I met Mr. ", False),
    ],
)
def test_a_sentence_is_told_by_its_end(text: str, whole_sentence: bool) -> None:
    assert is_whole(text, ENGLISH) is whole_sentence
