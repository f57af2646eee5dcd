"""A session whose client wants other languages, or to hear them, while it speaks."""

from __future__ import annotations

import json

import pytest

from speech_translator.errors import EngineUnavailable, InvalidField
from speech_translator.languages import Language
from speech_translator.streaming.interpreting import Interpretation
from speech_translator.streaming.messages import (
    Done,
    Failed,
    Final,
    Partial,
    SpokenAudio,
    Updated,
    UpdateMessage,
    parse_start,
    updated,
)
from speech_translator.streaming.resuming import SessionState
from speech_translator.streaming.sharing import CaptionHub, digest
from speech_translator.streaming.work import Foresee, Guess, Render, Retranslate, Speak
from tests.support.live_simulation import PORTUGUESE, Simulation, request, silence, word
from tests.unit.test_streaming_driver import END, PAUSE, SPEECH, START, door, engines, session

FRENCH = Language("fr")
BEGUN = json.dumps({"source_language": "en", "target_languages": ["pt"], "partials": True})


def simulation(**changes: object) -> Simulation:
    state = SessionState("session", BEGUN)
    return Simulation(request(**changes), state=state)  # type: ignore[arg-type]


def update(sim: Simulation, *targets: str, speech: bool = False, voice: str | None = None) -> None:
    message = UpdateMessage(target_languages=list(targets), speech=speech, voice=voice)
    wanted = updated(sim.session.request, message)
    sim.perform(sim.session.update(wanted, message))


def test_what_is_said_afterwards_is_told_in_the_new_languages() -> None:
    sim = simulation()
    sim.hear(word(1), silence(40))
    update(sim, "fr", "pt")
    sim.hear(word(2), silence(40))
    assert [final.translations for final in sim.told(Final)] == [
        {"pt": "pt:w1"},
        {"fr": "fr:w2", "pt": "pt:w2"},
    ]
    (told,) = sim.told(Updated)
    assert (told.target_languages, told.speech, told.voice) == (("fr", "pt"), False, None)
    assert sim.events.index(sim.told(Final)[0]) < sim.events.index(told)


def test_what_had_ended_is_told_as_it_was_wanted_then() -> None:
    sim = simulation(speech=True)
    sim.auto = False
    sim.hear(word(1), silence(40), word(2), silence(40), word(3), silence(40))
    update(sim, "fr")
    sim.answer_all()
    assert [final.translations for final in sim.told(Final)] == [
        {"pt": f"pt:w{number}"} for number in (1, 2, 3)
    ]
    assert {piece.language for piece in sim.told(SpokenAudio)} == {"pt"}


def test_a_foresight_in_the_old_languages_is_given_up() -> None:
    """It runs, or it is done and its utterance has not ended yet."""
    for done in (False, True):
        sim = simulation()
        sim.auto = done
        sim.hear(word(1), silence(10), frame=512)
        assert [type(work) for work in sim.works.values()] == [Foresee] * (not done)
        update(sim, "fr")
        sim.auto = True
        sim.answer_all()
        sim.hear(silence(30), frame=512)
        assert [final.translations for final in sim.told(Final)] == [{"fr": "fr:w1"}]


def test_partials_forget_what_was_translated() -> None:
    sim = simulation(partials=True)
    sim.auto = False
    sim.hear(word(1, 40))
    sim.answer_all(Guess)
    for number in range(2, 6):
        sim.hear(word(number, 16))
        sim.answer_all(Guess)
    render = Render(1, "w1", Language("en"), (PORTUGUESE,))
    sim.session._open.translations = {"pt": "pt:w1"}
    sim.perform([sim.session._jobs.start(render)])
    update(sim, "fr")
    assert not any(isinstance(work, Render) for work in sim.works.values())
    sim.hear(word(6, 16))
    sim.answer_all(Guess)
    assert sim.told(Partial)[-1].translations == {}


def test_a_try_again_is_into_the_languages_of_its_utterance() -> None:
    sim = simulation()
    sim.auto = False
    sim.hear(word(1), silence(40))
    (work_id,) = sim.works
    update(sim, "fr")
    del sim.works[work_id]
    busy = Interpretation("w1", Language("en"), 0.9, {}, {"pt": EngineUnavailable("It restarts.")})
    sim.perform(sim.session.complete(work_id, busy))
    sim.now += 5
    sim.perform(sim.session.handle_timeout())
    again = sim.works[work_id]
    assert isinstance(again, Retranslate)
    assert again.targets == (PORTUGUESE,)
    sim.answer_all()
    assert [final.translations for final in sim.told(Final)] == [{"pt": "pt:w1"}]


def test_speech_begins_changes_its_voice_and_ends() -> None:
    sim = simulation()
    sim.hear(word(1), silence(40))
    update(sim, "pt", speech=True, voice="kokoro:pt")
    sim.hear(word(2), silence(40))
    update(sim, "pt")
    sim.hear(word(3), silence(40))
    spoken = [work for work in sim.started if isinstance(work, Speak)]
    assert [(speak.text, speak.voice) for speak in spoken] == [("pt:w2", "kokoro:pt")]


def test_a_session_that_ends_is_not_updated() -> None:
    sim = simulation()
    sim.auto = False
    sim.hear(word(1), silence(40))
    sim.end()
    update(sim, "fr")
    (refused,) = sim.told(Failed)
    assert (refused.code, refused.fatal) == ("protocol_violation", False)
    sim.answer_all()
    assert sim.told(Final)[0].translations == {"pt": "pt:w1"}
    assert sim.told(Done)
    update(sim, "fr")
    assert sim.told(Updated) == []


def test_a_session_that_goes_on_is_the_one_that_was_wanted_last() -> None:
    sim = simulation()
    update(sim, "fr", speech=True)
    kept = parse_start(sim.saved[-1].start)
    assert (kept.targets, kept.speech, kept.partials) == ((FRENCH,), True, True)
    sim.hear(word(1), silence(40))
    assert sim.saved[-1].start == sim.saved[0].start


def test_a_refusal_is_not_told_again() -> None:
    sim = simulation()
    sim.perform(sim.session.refuse(InvalidField("No.", field="voice")))
    sim.hear(word(1), silence(40))
    assert [type(event) for _, event in sim.saved[-1].told] == [Final]


def test_readers_may_choose_among_the_languages_of_now() -> None:
    hub = CaptionHub()
    speaker = hub.speak(SessionState("id", "{}", share=digest("secret")), request())
    speaker.publish(Updated(target_languages=("fr",), speech=False, voice=None))
    assert hub.find("id", "secret").request.targets == (FRENCH,)


async def test_an_update_on_the_line() -> None:
    wanted = json.dumps({"type": "update", "target_languages": ["en", "pt"]})
    async with session(door(*engines("Hello.", "Bye."))) as (line, _):
        line.say(START, SPEECH, PAUSE, wanted, SPEECH, PAUSE, END)
    assert line.told("updated")[0]["target_languages"] == ["en", "pt"]
    assert line.told("final")[-1]["translations"] == {"en": "Bye.", "pt": "pt:Bye."}
    assert line.closed == "end"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "invalid_field"),
        ({"target_languages": ["zzz"]}, "unknown_language"),
        ({"target_languages": ["de"]}, "unsupported_pair"),
        ({"target_languages": ["pt", "pt"]}, "invalid_field"),
        ({"target_languages": [], "speech": True}, "invalid_field"),
        ({"target_languages": ["pt"], "voice": "kokoro:pt"}, "invalid_field"),
        ({"target_languages": ["pt"], "speech": True, "voice": "nobody"}, "unsupported_voice"),
        ({"target_languages": ["pt"], "share": True}, "invalid_field"),
    ],
)
async def test_one_that_cannot_be_had_changes_nothing(fields: dict[str, object], code: str) -> None:
    async with session(door(*engines("Hello."))) as (line, _):
        line.say(START, json.dumps({"type": "update", **fields}), SPEECH, PAUSE, END)
    (refused,) = line.told("error")
    assert (refused["code"], refused["fatal"], refused["segment_id"]) == (code, False, None)
    assert line.told("final")[0]["translations"] == {"pt": "pt:Hello."}
    assert line.told("updated") == []
    assert line.closed == "end"
