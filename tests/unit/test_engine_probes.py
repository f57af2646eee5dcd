"""Whether an engine still computes is asked with as little as it takes, and only where need be."""

from __future__ import annotations

import numpy as np
import pytest

from speech_translator.api.engine_probes import ANSWER_S, EngineProbe, is_answer, tiny_call
from speech_translator.engines.values import (
    Audio,
    EngineInfo,
    Priority,
    SpeechProbabilities,
    TranslateCall,
)
from speech_translator.errors import AnswerRejected, EngineFailed, Overloaded, ShuttingDown
from speech_translator.reliability.health_checks import Finding
from tests.support.api import standard_engines
from tests.support.scripted_broker import ScriptedBroker, translator


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Broker(ScriptedBroker):
    """Remembers how it was asked."""

    def __init__(self, *engines):
        super().__init__(*engines)
        self.asked = []

    async def submit(self, engine, call, **how):
        self.asked.append(how)
        return await super().submit(engine, call, **how)


def probe(engine, *, answered=None, **options):
    clock, broker = Clock(), Broker(engine)
    name = engine.info.name
    answered = {} if answered is None else answered
    return EngineProbe(broker, name, answered, 60.0, clock=clock, **options), broker, clock


@pytest.mark.parametrize("engine", standard_engines(), ids=lambda engine: engine.info.name)
async def test_every_kind_of_engine_is_given_a_real_call(engine):
    look, broker, _ = probe(engine)
    assert (await look()).level == "ok"
    assert len(engine.calls) == 1
    (how,) = broker.asked
    assert (how["priority"], how["owner"]) == (Priority.BULK, "health")
    assert 0 < how["deadline"].remaining() <= ANSWER_S


async def test_an_engine_that_answered_lately_is_not_asked():
    engine, answered = translator("bergamot", "en-pt"), {"bergamot": 70.0}
    look, _, clock = probe(engine, answered=answered)
    assert await look() == Finding("ok", "answered 30 s ago")
    assert engine.calls == []
    clock.now = 130.0
    assert (await look()).level == "ok"
    assert len(engine.calls) == 1
    clock.now = 189.0  # its own answer is one, too
    await look()
    assert len(engine.calls) == 1


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ("starting", "unknown"),
        ("restarting", "unknown"),
        ("missing", "unknown"),
        ("failed", "failed"),
    ],
)
async def test_an_engine_that_does_not_run_is_not_asked(state, level):
    engine = translator("bergamot", "en-pt")
    engine.state = state
    look, _, _ = probe(engine)
    assert (await look()).level == level
    assert engine.calls == []


async def test_nothing_is_begun_while_the_service_stops():
    engine = translator("bergamot", "en-pt")
    look, _, _ = probe(engine, draining=lambda: True)
    assert (await look()).level == "unknown"
    assert engine.calls == []


@pytest.mark.parametrize("error", [EngineFailed("It failed."), RuntimeError()])
async def test_what_an_engine_raises_is_for_the_monitor(error):
    engine = translator("bergamot", "en-pt")
    engine.answer = _raising(error)
    look, _, _ = probe(engine)
    with pytest.raises(type(error)):
        await look()


@pytest.mark.parametrize(
    ("error", "level"), [(AnswerRejected("Not good."), "ok"), (ShuttingDown("Over."), "unknown")]
)
async def test_what_is_no_fault_of_the_engine(error, level):
    engine = translator("openai", "en-pt")
    engine.answer = _raising(error)
    look, _, _ = probe(engine)
    assert (await look()).level == level


async def test_an_engine_with_a_full_queue_is_well_as_long_as_it_answers():
    engine, answered = translator("bergamot", "en-pt"), {}
    look, _, clock = probe(engine, answered=answered)

    def full(_call):
        raise Overloaded("Too much is waiting for this engine.")

    engine.answer = full
    with pytest.raises(Overloaded):
        await look()

    def busy(_call):
        clock.now += 5
        answered["bergamot"] = clock.now
        raise Overloaded("Too much is waiting for this engine.")

    engine.answer = busy
    assert await look() == Finding("ok", "busy, and answering")


async def test_an_answer_that_is_none_is_a_failure():
    engine = translator("bergamot", "en-pt")
    engine.answer = lambda _call: " "
    look, _, _ = probe(engine)
    assert await look() == Finding("failed", "its answer is none")


def test_what_counts_as_an_answer():
    silence = tiny_call(EngineInfo("silero", "voice_activity"))
    assert is_answer(silence, SpeechProbabilities(np.zeros(1, np.float32), b""))
    assert not is_answer(silence, SpeechProbabilities(np.zeros(0, np.float32), b""))
    assert not is_answer(silence, "text")
    (voice,) = [engine for engine in standard_engines() if engine.info.name == "kokoro"]
    said = tiny_call(voice.info)
    assert not is_answer(said, Audio(np.zeros(0, np.float32), 24_000))


def test_groups_of_languages_and_engines_without_any():
    grouped = EngineInfo("m2m", "translation", groups=(("de", "en", "fr"),))
    assert tiny_call(grouped) == TranslateCall("OK.", "de", "en")
    assert tiny_call(EngineInfo("apertium", "translation")) is None
    assert tiny_call(EngineInfo("kokoro", "synthesis")) is None


def _raising(error):
    def answer(_call):
        raise error

    return answer
