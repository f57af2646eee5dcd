"""OpenAI's realtime translation events over a live session with scripted engines; no socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai._models import validate_type
from openai.types.realtime import RealtimeTranslationServerEvent

from speech_translator.api.compat.realtime_line import _ENDINGS, RealtimeLine
from speech_translator.api.compat.realtime_session import WantedSession
from speech_translator.api.compat.realtime_sound import Voice
from speech_translator.api.compat.realtime_text import Transcript
from speech_translator.engines.values import Call, Result
from speech_translator.errors import (
    EngineFailed,
    LimitExceeded,
    PoisonousInput,
    SpeechTranslatorError,
)
from speech_translator.languages import Language
from speech_translator.streaming import LiveDriver, SessionLimits, messages
from speech_translator.streaming.messages import ServerEvent, SpokenAudio, encode
from tests.support.scripted_broker import ScriptedEngine, detector, recogniser, speaker, translator
from tests.unit.test_streaming_driver import Decoders, Line, door, until

NOW = 1_800_000_000.0
SPEECH = np.full(24_000, 8000, "<i2").tobytes()
PAUSE = bytes(2 * 24_000)
APPEND = "session.input_audio_buffer.append"
WANTED = WantedSession("any-model", Language("pt"), "whisper")


def engines(*texts: str) -> list[ScriptedEngine]:
    return [
        translator("bergamot", "en-pt", "en-fr", "en-de"),
        recogniser("en", *texts),
        detector(),
        speaker("kokoro", "en", "pt", "fr"),
    ]


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields})


def sound(pcm: bytes, **fields: object) -> str:
    return event(APPEND, audio=base64.b64encode(pcm).decode(), **fields)


def update(*, event_id: str = "u1", **audio: object) -> str:
    return event("session.update", session={"audio": audio}, event_id=event_id)


def into(language: object, event_id: str = "u1") -> str:
    return update(output={"language": language}, event_id=event_id)


CLOSE = event("session.close")


class Client(Line):
    """OpenAI's client at the other end of no wire: each event must be one that it knows."""

    async def send(self, text: str) -> None:
        await super().send(text)
        validate_type(type_=RealtimeTranslationServerEvent, value=json.loads(text))

    @property
    def kinds(self) -> list[str]:
        return [found["type"] for found in self.events]

    def text(self, which: str) -> str:
        return "".join(found["delta"] for found in self.told(f"session.{which}_transcript.delta"))

    def errors(self) -> list[tuple[str, str | None, str | None]]:
        """Code, parameter and the id of the event of each."""
        told = [found["error"] for found in self.told("error")]
        return [(error["code"], error["param"], error["event_id"]) for error in told]


def speaks(*languages: str) -> Callable[[Language], bool]:
    return lambda language: language.tag in languages


@asynccontextmanager
async def session(
    *texts: str,
    wanted: WantedSession = WANTED,
    limits: SessionLimits | None = None,
    changed: dict[str, ScriptedEngine] | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Client, LiveDriver]]:
    """A session that is over, with nothing left behind, once the block is."""
    client = Client()
    limits = limits or SessionLimits()
    can_speak = speaks("en", "pt", "fr")
    line = RealtimeLine(client, wanted, can_speak, longest_s=limits.max_s, clock=lambda: NOW)
    found = {each.info.name: each for each in engines(*texts)} | (changed or {})
    live = LiveDriver(line, door(*found.values()), limits, decoders=Decoders(), **options)
    before = asyncio.all_tasks()
    running = asyncio.create_task(live.run())
    try:
        yield client, live
        async with asyncio.timeout(60):
            await running
        assert asyncio.all_tasks() == before
    finally:
        running.cancel()


async def test_a_session_from_the_first_event_to_the_last() -> None:
    async with session("Hello.", "Bye.") as (client, _):
        client.say(*map(sound, (SPEECH, PAUSE, SPEECH, PAUSE)), CLOSE)
    first, *_, last = client.kinds
    assert (first, last) == ("session.created", "session.closed")
    created = client.events[0]["session"]
    assert created.pop("id").startswith("sess_")
    assert created == {
        "type": "translation",
        "model": "any-model",
        "expires_at": NOW + 4 * 3600,
        "audio": {
            "input": {"transcription": {"model": "whisper"}, "noise_reduction": None},
            "output": {"language": "pt"},
        },
    }
    assert client.text("input") == "Hello. Bye."
    assert client.text("output") == "pt:Hello. pt:Bye."
    assert [found["elapsed_ms"] for found in client.told("session.output_transcript.delta")] == [
        1000,
        3000,
    ]
    assert client.closed == "end"
    assert len({found["event_id"] for found in client.events}) == len(client.events)
    assert client.errors() == []


async def test_the_translation_is_spoken_at_the_rate_of_openais_clients() -> None:
    other_rate = speaker("kokoro", "pt", rate=44_100)
    async with session("Hello.", changed={"kokoro": other_rate}) as (client, _):
        client.say(sound(SPEECH), sound(PAUSE), CLOSE)
    pieces = client.told("session.output_audio.delta")
    assert {(p["sample_rate"], p["channels"], p["format"]) for p in pieces} == {
        (24_000, 1, "pcm16")
    }
    assert {piece["elapsed_ms"] for piece in pieces} == {1000}
    pcm = b"".join(base64.b64decode(piece["delta"]) for piece in pieces)
    samples = np.frombuffer(pcm, "<i2")
    assert len(samples) == pytest.approx(0.1 * len("pt:Hello.") * 24_000, abs=2)
    assert np.median(samples) == pytest.approx(0.5 * 32_767, abs=20)


async def test_what_was_said_is_told_only_where_that_is_asked_for() -> None:
    wanted = WantedSession("m", Language("pt"))
    async with session("One.", "Two.", "Three.", wanted=wanted) as (client, _):
        client.say(sound(SPEECH), sound(PAUSE))
        await spoken(client, 1)
        client.say(update(input={"transcription": {"model": "w"}}), sound(SPEECH), sound(PAUSE))
        await spoken(client, 2)
        client.say(update(input={"transcription": None}), sound(SPEECH), sound(PAUSE), CLOSE)
    assert client.text("input") == "Two."
    assert client.text("output") == "pt:One. pt:Two. pt:Three."
    told = [found["session"]["audio"]["input"] for found in client.told("session.updated")]
    assert [found["transcription"] for found in told] == [{"model": "w"}, None]


async def spoken(client: Client, finals: int) -> None:
    await until(lambda: len(client.told("session.output_transcript.delta")) >= finals)


async def test_another_language_from_now_on() -> None:
    async with session("One.", "Two.") as (client, _):
        client.say(sound(SPEECH), sound(PAUSE))
        await spoken(client, 1)
        client.say(into("fr"), sound(SPEECH), sound(PAUSE), CLOSE)
    assert client.text("output") == "pt:One. fr:Two."
    (updated,) = client.told("session.updated")
    assert updated["session"]["audio"]["output"] == {"language": "fr"}
    assert updated["session"]["audio"]["input"]["transcription"] == {"model": "whisper"}
    assert updated["session"]["id"] == client.events[0]["session"]["id"]


async def test_updates_before_the_sound_as_clients_send_them_at_once() -> None:
    """An update that is refused is passed over by those behind it."""
    async with session("One.") as (client, _):
        client.say(into("fr", "a"), into("ja", "b"), update(input={"transcription": None}))
        client.say(sound(SPEECH), sound(PAUSE), CLOSE)
    assert client.kinds[:4] == ["session.created", "session.updated", "error", "session.updated"]
    assert client.errors() == [("unsupported_pair", "session.audio.output.language", "b")]
    assert client.text("output") == "fr:One."
    assert client.text("input") == ""


async def test_a_default_that_nothing_speaks_is_no_error_for_who_wants_another() -> None:
    async with session("One.", wanted=WantedSession("m", Language("de"))) as (client, _):
        client.say(into("pt"), sound(SPEECH), sound(PAUSE), CLOSE)
    assert client.errors() == []
    assert client.told("session.output_audio.delta")


async def test_a_language_without_a_voice_comes_as_text_and_says_so() -> None:
    german = WantedSession("m", Language("de"), "w")
    async with session("One.", "Two.", wanted=german) as (client, _):
        client.say(*map(sound, (SPEECH, PAUSE, SPEECH, PAUSE)), CLOSE)
    assert client.errors() == [("unsupported_voice", "session.audio.output.language", None)]
    assert client.kinds[1:3] == ["session.input_transcript.delta", "error"]
    assert client.text("output") == "de:One. de:Two."
    assert client.told("session.output_audio.delta") == []
    async with session("One.") as (client, _):
        client.say(into("de", "u7"), sound(SPEECH), sound(PAUSE), CLOSE)
    assert client.errors() == [("unsupported_voice", "session.audio.output.language", "u7")]
    assert client.text("output") == "de:One."


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("", "malformed_body", None),
        ("{", "malformed_body", None),
        ("[" * 5000, "malformed_body", None),
        ("\ud800", "malformed_body", None),
        ("[]", "invalid_field", None),
        ("{}", "invalid_field", "type"),
        ('{"type": "response.create"}', "invalid_field", "type"),
        ('{"type": 7}', "invalid_field", "type"),
        (b"\x00\x00", "protocol_violation", None),
        (event(APPEND), "invalid_field", "audio"),
        (event(APPEND, audio="?"), "invalid_field", "audio"),
        (event(APPEND, audio="AAA"), "invalid_field", "audio"),
        (event(APPEND, audio=7), "invalid_field", "audio"),
        (event(APPEND, audio="", x="xyzzy"), "invalid_field", None),
        (event("session.close", event_id="i" * 513), "invalid_field", "event_id"),
        (event("session.close", event_id=7), "invalid_field", "event_id"),
        (event("session.update"), "invalid_field", "session"),
        (event("session.update", session={"voice": "xyzzy"}), "invalid_field", "session"),
        (event("session.update", session={"model": "other"}), "invalid_field", "session.model"),
        (event("session.update", session={"type": "realtime"}), "invalid_field", "session.type"),
        (
            update(input={"noise_reduction": {"type": "loud"}}),
            "invalid_field",
            "session.audio.input.noise_reduction.type",
        ),
        (
            update(input={"transcription": {"model": "w", "language": "en"}}),
            "invalid_field",
            "session.audio.input.transcription",
        ),
        (update(output={"voice": "xyzzy"}), "invalid_field", "session.audio.output"),
        (into("xyzzy"), "unknown_language", "session.audio.output.language"),
        (into(None), "invalid_field", "session.audio.output.language"),
        (into("zh"), "unsupported_pair", "session.audio.output.language"),
        (" " * 1_100_000, "payload_too_large", None),
    ],
)
async def test_what_cannot_be_obeyed_is_an_error_and_the_session_goes_on(
    message: str | bytes, code: str, param: str | None
) -> None:
    async with session("Hello.") as (client, _):
        client.say(message, sound(SPEECH), sound(PAUSE), CLOSE)
    (told,) = client.told("error")
    assert (told["error"]["code"], told["error"]["param"]) == (code, param)
    assert told["error"]["type"] == "invalid_request_error"
    assert "xyzzy" not in json.dumps(told)
    assert client.text("output") == "pt:Hello."
    assert client.closed == "end"


async def test_what_changes_nothing_is_no_error() -> None:
    same = {"type": "translation", "model": "any-model", "audio": {"input": {}, "output": {}}}
    async with session("Hello.") as (client, _):
        client.say(
            event("session.update", session={}),
            event("session.update", session=same),
            update(input={"noise_reduction": None}),
            sound(b""),
            sound(SPEECH),
            sound(PAUSE),
            CLOSE,
        )
    assert client.errors() == []
    before = client.events[0]["session"]
    assert [found["session"] for found in client.told("session.updated")] == [before] * 3


async def test_what_is_not_offered_is_told_beside_what_is_done() -> None:
    quiet = {"type": "near_field", "strength": 0.5}
    async with session("Hello.") as (client, _):
        client.say(
            update(input={"noise_reduction": quiet}, output={"language": "fr"}, event_id="q"),
            update(input={"noise_reduction": None}),
            sound(SPEECH),
            sound(PAUSE),
            CLOSE,
        )
    assert client.errors() == [("invalid_field", "session.audio.input.noise_reduction", "q")]
    assert client.kinds[1:4] == ["session.updated", "error", "session.updated"]
    (first, _) = client.told("session.updated")
    assert first["session"]["audio"]["input"]["noise_reduction"] is None
    assert client.text("output") == "fr:Hello."


async def test_an_error_names_the_event_that_it_is_about_where_it_has_a_name() -> None:
    long = "i" * 512
    async with session() as (client, _):
        client.say('{"event_id": "e1"}', '{"event_id": "e2", "type": "x"}', "{")
        client.say(event(APPEND, audio="?", event_id=long), CLOSE)
    assert [event_id for _, _, event_id in client.errors()] == ["e1", "e2", None, long]


async def test_after_the_close_nothing_more_is_taken() -> None:
    async with session("Hello.") as (client, _):
        client.say(sound(SPEECH), CLOSE, sound(SPEECH, event_id="late"), into("fr", "later"))
        client.say(event("session.close", event_id="again"))
    assert client.errors() == [
        ("protocol_violation", None, name) for name in ("late", "later", "again")
    ]
    assert client.text("output") == "pt:Hello."


async def test_sound_is_cut_anywhere_and_a_long_piece_is_heard_whole() -> None:
    pcm = SPEECH + PAUSE + SPEECH + PAUSE
    async with session("One.", "Two.") as (client, _):
        client.say(sound(pcm[:7]), sound(pcm[7:333]), sound(pcm[333:]))
        client.say(sound(PAUSE * 8), CLOSE)
    assert client.text("output") == "pt:One. pt:Two."
    assert client.errors() == []


async def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    for said in ([], [sound(SPEECH)], [into("fr"), sound(SPEECH)], ["{"]):
        async with session("Hello.") as (client, _):
            client.say(*said, None)
        assert client.closed is None


async def test_a_client_that_is_gone_while_it_is_told_of_an_error() -> None:
    async with session() as (client, _):
        await until(lambda: client.events)

        async def gone(_text: str) -> None:
            raise ConnectionError

        client.send = gone  # type: ignore[method-assign]
        client.say("{", None)


# What the session tells


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(SessionLimits(idle_s=0.05), "idle_timeout"), (SessionLimits(max_s=0.5), "session_too_long")],
)
async def test_a_session_that_is_ended_says_why_and_that_it_is_closed(
    limits: SessionLimits, reason: str
) -> None:
    async with session("Hello.", limits=limits) as (client, _):
        client.say(sound(SPEECH))
    assert client.errors()[-1] == (reason, None, None)
    assert client.kinds[-1] == "session.closed"
    assert client.text("output") == "pt:Hello."
    assert client.closed == reason


async def test_junk_keeps_no_session_alive() -> None:
    async with session(limits=SessionLimits(idle_s=0.2)) as (client, _):
        while client.closed is None:
            client.say("{")
            await asyncio.sleep(0.01)
        client.say(None)
    assert client.closed == "idle_timeout"


async def test_at_shutdown_what_was_said_is_told_first() -> None:
    async with session("Hello.") as (client, live):
        client.say(sound(SPEECH))
        await until(lambda: client.reads)
        live.shut_down()
    assert [code for code, _, _ in client.errors()] == ["draining", "shutting_down"]
    assert [told["error"]["type"] for told in client.told("error")] == ["server_error"] * 2
    assert client.kinds[-1] == "session.closed"
    assert client.closed == "shutting_down"


class Tab:
    """So much sound is left."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def take(self, seconds: float) -> None:
        if seconds > self.seconds:
            raise LimitExceeded("No sound is left of the month.", limit="audio-month")
        self.seconds -= seconds


async def test_without_sound_left_what_was_said_is_told_and_then_why_it_ends() -> None:
    async with session("Hello.", meter=Tab(2.5)) as (client, _):
        client.say(sound(SPEECH), sound(PAUSE), sound(SPEECH))
    assert [code for code, _, _ in client.errors()] == ["limit_exceeded"] * 2
    assert client.told("error")[-1]["error"]["type"] == "rate_limit_error"
    assert client.text("output") == "pt:Hello."
    assert isinstance(client.closed, LimitExceeded)


@pytest.mark.parametrize(
    ("name", "error"),
    [("whisper", PoisonousInput), ("bergamot", EngineFailed), ("kokoro", EngineFailed)],
)
async def test_an_engine_that_fails_costs_what_it_makes_and_no_more(
    name: str, error: type[SpeechTranslatorError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speech_translator.streaming.work._FIRST_WAIT_S", 0.0)
    broken = next(each for each in engines("Hello.") if each.info.name == name)

    def answer(call: Call) -> Result:
        raise error("It failed.")

    broken.answer = answer
    async with session("Hello.", changed={name: broken}) as (client, _):
        client.say(sound(SPEECH), sound(PAUSE), CLOSE)
    assert client.errors()[0][0] == error.code
    assert client.text("input") == ("" if name == "whisper" else "Hello.")
    assert client.text("output") == ("pt:Hello." if name == "kokoro" else "")
    assert client.kinds[-1] == "session.closed"


async def test_what_can_never_be_had_is_an_error_before_anything_is_heard() -> None:
    async with session(wanted=WantedSession("m", Language("zh"))) as (client, _):
        pass
    assert client.errors() == [("unsupported_pair", "session.audio.output.language", None)]
    assert isinstance(client.closed, SpeechTranslatorError)


def told(*sent: ServerEvent) -> list[dict[str, Any]]:
    """What a client is told of events of the session."""
    client = Client()
    line = RealtimeLine(client, WANTED, speaks("pt"), longest_s=60)

    async def tell() -> None:
        for number, one in enumerate(sent):
            await line.send(encode(one, number))

    asyncio.run(tell())
    return client.events


def test_what_costs_nothing_but_time_is_not_told() -> None:
    assert told(messages.Warned(code="falling_behind", message="Later.")) == []
    assert told(messages.Ack(audio_s=1.0), messages.Unshared()) == []
    assert told(messages.SpeechStopped(audio_s=1.0)) == []


def test_speech_that_is_left_out_is_told_as_our_fault() -> None:
    (error,) = told(messages.Warned(code="speech_skipped", message="Not spoken.", segment_id=3))
    assert (error["error"]["type"], error["error"]["code"]) == ("server_error", "speech_skipped")


def test_every_way_to_end_has_its_words() -> None:
    assert {*_ENDINGS, "end"} == set(get_args(messages.EndReason))


def piece(rate: int, samples: int, *, segment: int = 1, last: bool = False) -> SpokenAudio:
    return SpokenAudio(
        segment_id=segment,
        language="pt",
        index=0,
        last=last,
        sample_rate=rate,
        audio=np.full(samples, 1234, "<i2").tobytes(),
    )


def test_pieces_of_one_sentence_are_resampled_as_one_sound() -> None:
    voice = Voice()
    pcm = b"".join(voice.resampled(piece(44_100, 4_410)) for _ in range(9))
    pcm += voice.resampled(piece(44_100, 4_410, last=True))
    samples = np.frombuffer(pcm, "<i2")
    assert len(samples) == pytest.approx(24_000, abs=2)
    assert np.ptp(samples[200:-200]) <= 2
    assert (
        np.frombuffer(Voice().resampled(piece(24_000, 5, last=True)), "<i2").tolist() == [1234] * 5
    )
    assert Voice().resampled(piece(24_000, 0, last=True)) == b""


def test_clauses_at_different_rates_and_a_sentence_that_is_broken_off() -> None:
    voice = Voice()
    pcm = voice.resampled(piece(16_000, 1_600)) + voice.resampled(piece(48_000, 4_800, last=True))
    assert len(pcm) / 2 == pytest.approx(4_800, abs=4)
    voice.resampled(piece(16_000, 1_600))  # its rest is never spoken
    after = voice.resampled(piece(16_000, 1_600, segment=2, last=True))
    assert len(after) / 2 == pytest.approx(2_400, abs=2)


@pytest.mark.parametrize(
    ("sentences", "whole"),
    [
        (("Hello.", "Bye."), "Hello. Bye."),
        (("你好。", "再见。"), "你好。再见。"),
        (("こんにちは！", "「はい」"), "こんにちは！「はい」"),
        (("สวัสดี", "ลาก่อน"), "สวัสดีลาก่อน"),
        (("你好。", "OK."), "你好。 OK."),
        (("Olá", "", "tudo bem?"), "Olá tudo bem?"),
    ],
)
def test_sentences_are_joined_as_their_script_is_written(
    sentences: tuple[str, ...], whole: str
) -> None:
    transcript = Transcript()
    assert "".join(map(transcript.added, sentences)) == whole


# Whatever comes

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {"type": st.sampled_from(["session.update", APPEND, "session.close"]) | anything},
    optional={
        "event_id": anything,
        "audio": anything | st.binary(max_size=64).map(lambda raw: base64.b64encode(raw).decode()),
        "session": anything
        | st.fixed_dictionaries(
            {},
            optional={
                "model": anything | st.just("any-model"),
                "type": anything,
                "audio": anything
                | st.fixed_dictionaries(
                    {},
                    optional={
                        "input": anything
                        | st.fixed_dictionaries(
                            {}, optional={"transcription": anything, "noise_reduction": anything}
                        ),
                        "output": st.fixed_dictionaries(
                            {},
                            optional={
                                "language": anything | st.sampled_from(["fr", "pt-BR", "zzz", "ja"])
                            },
                        ),
                    },
                ),
            },
        ),
    },
)
client_messages = st.binary(max_size=40) | st.text(max_size=40) | fields.map(json.dumps)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(client_messages, max_size=8))
async def test_whatever_comes_is_answered_by_a_typed_error_or_obeyed(
    said: list[str | bytes],
) -> None:
    async with session("Hello.", *["More."] * 8) as (client, _):
        client.say(*said, CLOSE, None)
    codes = {code for code, _, _ in client.errors()}
    assert codes <= {
        "invalid_field",
        "malformed_body",
        "protocol_violation",
        "unknown_language",
        "unsupported_pair",
        "unsupported_voice",
    }
    assert client.closed in {None, "end"}
