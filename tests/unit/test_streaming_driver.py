from __future__ import annotations

import asyncio
import json
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from speech_translator.engines.values import Call, Result, Samples
from speech_translator.errors import (
    DamagedAudio,
    InvalidAudio,
    InvalidGlossary,
    LimitExceeded,
    NoAudioTrack,
    Overloaded,
    PayloadTooLarge,
    ProtocolViolation,
    ShuttingDown,
    SlowConsumer,
    SpeechTranslatorError,
    UnknownLanguage,
)
from speech_translator.scalability.async_translator import AsyncTranslator, TranslatorConfig
from speech_translator.streaming import (
    LiveDriver,
    LiveHub,
    SessionLimits,
    driver,
    partials,
    running,
)
from speech_translator.streaming.sharing import CaptionHub
from tests.support.memory_sessions import MemorySessions
from tests.support.scripted_broker import (
    ScriptedBroker,
    ScriptedEngine,
    detector,
    recogniser,
    speaker,
    translator,
)

SPEECH = np.full(16_000, 8000, "<i2").tobytes()
PAUSE = bytes(2 * 16_000)
START = json.dumps({"source_language": "en", "target_languages": ["pt"]})
END = json.dumps({"type": "end"})


class Line:
    """A client at the other end of no wire at all."""

    def __init__(self) -> None:
        self.to_server: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.events: list[dict[str, Any]] = []
        self.closed: object = None
        self.takes = asyncio.Event()
        self.takes.set()
        self.reads = 0

    def say(self, *messages: str | bytes | None) -> None:
        for message in messages:
            self.to_server.put_nowait(message)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def receive(self) -> str | bytes | None:
        message = await self.to_server.get()
        self.reads += 1
        return message

    async def send(self, text: str) -> None:
        await self.takes.wait()
        self.events.append(json.loads(text))

    async def close(self, why: object) -> None:
        self.closed = why


@dataclass
class Decoders:
    """Streams whose bytes, behind the header, are each 0.1 s of sound."""

    opened: int = 0
    closed: int = 0
    fed: list[bytes] = field(default_factory=list)
    fails: Exception | None = None

    async def open_stream(self, **_: object) -> Decoders:
        if self.opened:
            raise Overloaded("Too many live streams are being decoded.")
        self.opened += 1
        return self

    async def feed(self, data: bytes) -> Samples:
        if self.fails:
            raise self.fails
        self.fed.append(data)
        loud = np.frombuffer(data, np.uint8) > 0
        return np.repeat(loud, 1_600).astype(np.float32) * np.float32(0.5)

    async def finish(self) -> Samples:
        return np.zeros(160, np.float32)

    async def close(self) -> None:
        self.closed = 1


def engines(*texts: str) -> list[ScriptedEngine]:
    return [
        translator("bergamot", "en-pt"),
        recogniser("en", *texts),
        detector(),
        speaker("kokoro", "pt"),
    ]


CONFIG = TranslatorConfig(("bergamot",), ("whisper",), ("kokoro",), ("kokoro",))


def door(*given: ScriptedEngine) -> AsyncTranslator:
    return AsyncTranslator(ScriptedBroker(*given), CONFIG)


@asynccontextmanager
async def session(
    translator_: AsyncTranslator,
    limits: SessionLimits | None = None,
    decoders: Decoders | None = None,
    store: MemorySessions | None = None,
) -> AsyncIterator[tuple[Line, LiveDriver]]:
    """A session that has to be over, with nothing left behind, once the block is."""
    line = Line()
    decoders = decoders or Decoders()
    live = LiveDriver(line, translator_, limits or SessionLimits(), decoders=decoders, store=store)
    before = asyncio.all_tasks()
    running = asyncio.create_task(live.run())
    try:
        yield line, live
        async with asyncio.timeout(60):
            await running
        assert asyncio.all_tasks() == before
    finally:
        running.cancel()


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 # what is awaited is no event
            await asyncio.sleep(0)


async def test_a_session_from_the_first_message_to_the_last() -> None:
    async with session(door(*engines("Hello.", "Bye."))) as (line, _):
        line.say(START, SPEECH, PAUSE, SPEECH, END)
    assert [event["type"] for event in line.events if event["type"] != "ack"] == [
        *["ready", "final", "final", "done"]
    ]
    assert [event["seq"] for event in line.events] == list(range(1, len(line.events) + 1))
    assert [final["text"] for final in line.told("final")] == ["Hello.", "Bye."]
    assert line.told("final")[0]["translations"] == {"pt": "pt:Hello."}
    assert line.closed == "end"


async def test_a_glossary_holds_also_when_the_session_goes_on() -> None:
    store = MemorySessions()
    start = {**json.loads(START), "glossary": {"Hello": "Viva"}}
    async with session(door(*engines("Hello.")), store=store) as (line, _):
        line.say(json.dumps(start), SPEECH, PAUSE)
        await until(lambda: line.told("final"))
        line.say(None)
    token, last_seq = line.told("ready")[0]["resume_token"], line.events[-1]["seq"]
    resume = json.dumps({"type": "resume", "token": token, "last_seq": last_seq})
    async with session(door(*engines("Hello again.")), store=store) as (again, _):
        again.say(resume, SPEECH, END)
    told = [*line.told("final"), *again.told("final")]
    assert [final["translations"]["pt"] for final in told] == ["Viva.", "pt:Viva again."]


async def test_who_barges_in_is_told_and_hears_no_more_of_it() -> None:
    start = {**json.loads(START), "speech": True, "barge_in": True}
    long = "A sentence that takes a while to be spoken."
    async with session(door(*engines(long, "Bye."))) as (line, _):
        line.say(json.dumps(start), SPEECH, PAUSE)
        await until(lambda: line.told("audio"))
        line.say(SPEECH[:16_000])
        await until(lambda: line.told("speech_stopped"))
        line.say(PAUSE, END)
    kinds = [event["type"] for event in line.events]
    after = line.events[kinds.index("speech_stopped") :]
    assert {event["segment_id"] for event in after if event["type"] == "audio"} == {2}
    assert line.told("ready")[0]["barge_in"] is True
    assert line.told("speech_stopped")[0]["audio_s"] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("glossary", [{"": "x"}, {"Hello": "a\nb"}, {"a": "x", "b": "y"}])
async def test_a_glossary_over_its_bounds_is_refused(glossary: dict[str, str]) -> None:
    limits = SessionLimits(max_glossary_terms=1)
    async with session(door(*engines()), limits) as (line, _):
        line.say(json.dumps({**json.loads(START), "glossary": glossary}))
    assert [event["code"] for event in line.events] == ["invalid_glossary"]
    assert isinstance(line.closed, InvalidGlossary)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (SPEECH, ProtocolViolation),
        ("{}", None),
        (json.dumps({"source_language": "xx"}), UnknownLanguage),
        (json.dumps({"source_language": "en", "target_languages": ["de"]}), None),
    ],
)
async def test_a_bad_first_message_is_answered_with_an_error_and_a_close(
    message: str | bytes, error: type[SpeechTranslatorError] | None
) -> None:
    async with session(door(*engines())) as (line, _):
        line.say(message)
    (failed,) = line.events
    assert (failed["type"], failed["seq"], failed["fatal"]) == ("error", 1, True)
    assert isinstance(line.closed, error or SpeechTranslatorError)
    assert failed["code"] == line.closed.code


async def test_a_session_is_summed_up_for_the_log() -> None:
    for messages, outcome, finals in (
        ([START, SPEECH, END], "end", 1),
        ([START, SPEECH, None], "client_gone", 0),
        ([None], "client_gone", 0),
        ([START, "x"], "malformed_body", 0),
        (["x"], "malformed_body", 0),
    ):
        line = Line()
        line.say(*messages)
        translating = door(*engines("Hello."))
        live = LiveDriver(line, translating, SessionLimits(), decoders=Decoders())
        summary = await live.run()
        assert (summary.outcome, summary.finals) == (outcome, finals)
        assert summary.audio_s == (1.0 if SPEECH in messages else 0.0)


async def test_no_first_message_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "FIRST_MESSAGE_S", 0.01)
    async with session(door(*engines())) as (line, _):
        pass
    assert isinstance(line.closed, ProtocolViolation)


@pytest.mark.parametrize("messages", [[None], [START, None], [START, SPEECH, SPEECH[:999], None]])
async def test_a_client_that_leaves_leaves_nothing_behind(
    messages: list[str | bytes | None],
) -> None:
    async with session(door(*engines("Never."))) as (line, _):
        line.say(*messages)
    assert line.closed is None
    assert line.told("final") == []


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (bytes(300_000), PayloadTooLarge),
        ("hello", None),
        ('{"type": "start"}', ProtocolViolation),
    ],
)
async def test_a_broken_protocol_ends_the_session(
    message: str | bytes, error: type[SpeechTranslatorError] | None
) -> None:
    async with session(door(*engines("Hello."))) as (line, _):
        line.say(START, SPEECH, message)
    assert line.events[-1]["type"] == "error"
    assert line.events[-1]["fatal"]
    assert isinstance(line.closed, error or SpeechTranslatorError)


async def test_odd_frames_and_a_second_end_do_no_harm() -> None:
    async with session(door(*engines("Hello."))) as (line, _):
        line.say(START, b"", SPEECH[:7], SPEECH[7:], b"\x01", END, END, SPEECH)
    assert [final["text"] for final in line.told("final")] == ["Hello."]
    assert line.closed == "end"


async def test_an_idle_session_is_ended() -> None:
    async with session(door(*engines()), SessionLimits(idle_s=0.05)) as (line, _):
        line.say(START)
    assert line.told("done")[0]["reason"] == "idle_timeout"
    assert line.closed == "idle_timeout"


async def test_at_shutdown_what_was_said_is_told_first() -> None:
    async with session(door(*engines("Hello."))) as (line, live):
        line.say(START, SPEECH)
        await until(lambda: line.reads == 2)
        live.shut_down()
    assert [final["text"] for final in line.told("final")] == ["Hello."]
    assert [warning["code"] for warning in line.told("warning")] == ["draining"]
    assert line.closed == "shutting_down"


async def test_at_shutdown_a_client_that_has_not_spoken_is_let_go() -> None:
    async with session(door(*engines())) as (line, live):
        live.shut_down()
    assert isinstance(line.closed, ShuttingDown)


@dataclass
class Allowance:
    """So many seconds of sound may be heard."""

    left_s: float
    asked: list[float] = field(default_factory=list)

    async def take(self, seconds: float) -> None:
        self.asked.append(seconds)
        if seconds > self.left_s:
            raise LimitExceeded("No sound is left.", retry_after=60.0)
        self.left_s -= seconds


async def metered(
    left_s: float, *said: str | bytes | None, max_s: float = 60.0
) -> tuple[Line, Allowance, float]:
    line, allowance = Line(), Allowance(left_s)
    line.say(*said)
    live = LiveDriver(
        line,
        door(*engines("Hello.", "Bye.")),
        SessionLimits(max_s=max_s),
        decoders=Decoders(),
        meter=allowance,
    )
    async with asyncio.timeout(60):
        return line, allowance, (await live.run()).audio_s


async def test_without_sound_left_what_was_said_is_told_and_then_why_it_ends() -> None:
    line, allowance, heard_s = await metered(2.5, START, SPEECH, PAUSE, SPEECH, SPEECH, END)
    told = [event["type"] for event in line.events if event["type"] != "ack"]
    assert told == ["ready", "warning", "final", "error"]
    assert line.told("warning")[0]["code"] == "limit_exceeded"
    (failed,) = line.told("error")
    assert (failed["code"], failed["fatal"]) == ("limit_exceeded", True)
    assert isinstance(line.closed, LimitExceeded)
    assert allowance.asked == [1.0, 1.0, 1.0]  # what is not heard is not asked for
    assert heard_s == 2.0


async def test_all_that_is_heard_is_asked_for_and_nothing_else() -> None:
    line, allowance, heard_s = await metered(9.0, START, SPEECH, PAUSE, END, SPEECH)
    assert line.closed == "end"
    assert sum(allowance.asked) == heard_s == 2.0
    _, allowance, heard_s = await metered(9.0, START, *[SPEECH] * 9, END, max_s=1.5)
    assert sum(allowance.asked) == heard_s == 2.0


@pytest.mark.parametrize("idle_s", [60, 0.05])
async def test_a_client_that_does_not_take_its_events_is_not_read_and_then_dropped_as_slow(
    monkeypatch: pytest.MonkeyPatch, idle_s: float
) -> None:
    monkeypatch.setattr(running, "OUTBOX_LIMIT", 3)
    limits = SessionLimits(idle_s=idle_s, send_s=0.3)
    async with session(door(*engines(*["Hello."] * 40)), limits) as (line, _):
        line.takes.clear()
        line.say(START, *[SPEECH, PAUSE] * 40)
    assert line.reads < 40
    assert isinstance(line.closed, SlowConsumer)


async def test_callers_without_a_name_do_not_share_what_each_may_take_of_the_engines() -> None:
    broker = ScriptedBroker(*engines("Hello."))
    limits = SessionLimits(subject="address:192.0.2.7")
    async with session(AsyncTranslator(broker, CONFIG), limits) as (line, _):
        line.say(START, SPEECH, PAUSE, END)
    assert line.told("final")
    assert broker.owners == {"address:192.0.2.7"}


async def test_a_sign_of_life_is_no_audio() -> None:
    async with session(door(*engines("Hello."))) as (line, _):
        alive = json.dumps({"type": "keep_alive"})
        line.say(START, alive, SPEECH, alive, END, alive)
    assert [final["text"] for final in line.told("final")] == ["Hello."]
    assert line.closed == "end"


CONTAINER = json.dumps({"source_language": "en", "audio": {"encoding": "webm_opus"}})
HEADER = b"\x1a\x45\xdf\xa3"


async def test_audio_in_a_container_goes_through_a_decoder_in_small_pieces() -> None:
    decoders = Decoders()
    async with session(door(*engines("Hello.")), decoders=decoders) as (line, _):
        # The header in two messages, then more than one may decode at once.
        line.say(CONTAINER, HEADER[:1], HEADER[1:] + b"x" * 20, bytes(3_000), END)
    assert line.told("ready")[0]["audio"] == {"encoding": "webm_opus", "sample_rate": None}
    assert len(line.told("final")) == 1
    assert line.told("done")[0]["audio_s"] == pytest.approx(302.41)
    assert max(map(len, decoders.fed)) <= 1024
    assert decoders.closed == 1


@pytest.mark.parametrize("error", [DamagedAudio("damaged"), NoAudioTrack("none")])
async def test_a_container_that_cannot_be_decoded_ends_its_session(error: InvalidAudio) -> None:
    decoders = Decoders(fails=error)
    async with session(door(*engines()), decoders=decoders) as (line, _):
        line.say(CONTAINER, HEADER)
    assert line.told("error")[0]["code"] == error.code
    assert line.told("error")[0]["fatal"]
    assert line.closed is error
    assert decoders.closed == 1


async def test_a_fault_of_ours_in_the_audio_ends_its_session_with_an_error() -> None:
    decoders = Decoders(fails=ZeroDivisionError("hidden"))
    async with session(door(*engines()), decoders=decoders) as (line, _):
        line.say(CONTAINER, HEADER)
    assert [(each["code"], each["fatal"]) for each in line.told("error")] == [("internal", True)]
    assert "hidden" not in json.dumps(line.events)
    assert isinstance(line.closed, SpeechTranslatorError)


async def test_what_is_no_such_container_is_told_so_and_never_decoded() -> None:
    decoders = Decoders()
    async with session(door(*engines()), decoders=decoders) as (line, _):
        line.say(CONTAINER, SPEECH)
    assert line.told("error")[0]["code"] == "unsupported_audio"
    assert "webm_opus" in line.told("error")[0]["message"]
    assert decoders.fed == []
    assert decoders.closed == 1


async def test_a_container_for_which_there_is_no_decoder_is_refused_at_the_start() -> None:
    async with session(door(*engines()), decoders=Decoders(opened=1)) as (line, _):
        line.say(CONTAINER)
    assert [event["code"] for event in line.events] == ["overloaded"]
    assert isinstance(line.closed, Overloaded)


async def test_partials_that_wait_for_the_client_give_way_to_newer_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partials, "_SHORTEST_S", 0.0)
    monkeypatch.setattr(partials, "_REST", 0.0)
    speech = engines(*["Hello."] * 40)
    async with session(door(*speech)) as (line, _):
        line.say(json.dumps({"source_language": "en", "partials": True}))
        await until(lambda: line.told("ready"))
        at_rest = len(asyncio.all_tasks())
        line.takes.clear()
        line.say(*[SPEECH] * 8)
        await until(lambda: line.reads == 9 and len(asyncio.all_tasks()) == at_rest)
        assert len(speech[1].calls) > 8
        line.takes.set()
        line.say(END)
    assert 1 <= len(line.told("partial")) <= 2


async def test_a_fault_of_ours_fails_its_segment_and_shows_nothing_of_itself() -> None:
    broken = engines("Never.")

    def fault(call: Call) -> Result:
        raise ZeroDivisionError("hidden")

    broken[1].answer = fault
    async with session(door(*broken)) as (line, _):
        line.say(START, SPEECH, END)
    (failed,) = line.told("error")
    assert (failed["code"], failed["segment_id"], failed["fatal"]) == ("internal", 1, False)
    assert "hidden" not in json.dumps(line.events)
    assert line.closed == "end"


@pytest.mark.parametrize(
    ("broken", "told", "closed"),
    [
        # In taking the result: only the utterance is lost.
        ("streaming.utterances.UtteranceQueue.settle", [(1, False)], "end"),
        # Behind it, where an utterance may be lost: the session says so and ends.
        ("streaming.telling.final", [(None, True)], SpeechTranslatorError),
        # Even in what tells of the failure.
        ("streaming.session.LiveSession._proceed", [(None, True)], SpeechTranslatorError),
    ],
)
async def test_a_fault_in_the_session_itself_strands_no_utterance(
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    told: list[tuple[int | None, bool]],
    closed: Any,
) -> None:
    name = f"speech_translator.{broken}"
    works, faults = pkgutil.resolve_name(name), 0

    def fault_at_a_final(*args: Any, **options: Any) -> Any:
        nonlocal faults
        recognised = any(engine.calls for engine in speech[:1])
        if recognised and (faults == 0 or told[0][1]):
            faults += 1
            raise ZeroDivisionError("hidden")
        return works(*args, **options)

    speech = engines("Hello.", "Bye.")
    monkeypatch.setattr(name, fault_at_a_final)
    async with session(door(*speech)) as (line, _):
        line.say(START, SPEECH, PAUSE, SPEECH, END)
    assert [(each["segment_id"], each["fatal"]) for each in line.told("error")] == told
    assert {each["code"] for each in line.told("error")} == {"internal"}
    assert "hidden" not in json.dumps(line.events)
    if closed == "end":
        assert [final["text"] for final in line.told("final")] == ["Bye."]
        assert line.closed == "end"
    else:
        assert isinstance(line.closed, closed)


async def test_the_hub_admits_so_many_and_no_more() -> None:
    hub = LiveHub(2)
    with hub.place(), hub.place():
        with pytest.raises(Overloaded) as raised, hub.place():
            pass
        assert raised.value.retry_after
        assert len(hub) == 2
    with hub.place():
        assert len(hub) == 1


async def test_the_hub_ends_its_sessions_and_admits_nobody_afterwards() -> None:
    hub = LiveHub(2)

    class Session:
        ended = asyncio.Event()

        def shut_down(self) -> None:
            self.ended.set()

    async def run() -> None:
        live = Session()
        with hub.place(), hub.running(live):
            await live.ended.wait()

    running = asyncio.create_task(run())
    await until(lambda: len(hub) == 1)
    hub.drain()
    await running
    with pytest.raises(ShuttingDown), hub.place():
        pass


async def test_a_session_is_shared_only_where_others_can_read_it() -> None:
    asked = json.dumps({"source_language": "en", "share": True})
    for captions, shared in ((None, False), (CaptionHub(), True)):
        line = Line()
        live = LiveDriver(line, door(*engines()), SessionLimits(), decoders=Decoders())
        running_ = asyncio.create_task(live.run(captions))
        line.say(asked)
        await until(lambda line=line: line.told("ready"))
        ready = line.told("ready")[0]
        assert (ready["share_secret"] is not None) is shared
        if captions is not None:
            share = captions.find(ready["session_id"], ready["share_secret"])
            line.say('{"type": "unshare"}')
            await until(lambda line=line: line.told("unshared"))
            assert share.over == "unshared"
        line.say(END)
        await running_
