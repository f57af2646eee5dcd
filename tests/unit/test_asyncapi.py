"""The AsyncAPI document says what the live socket takes and sends, and no more."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from speech_translator.api.asyncapi import client_messages, document, server_messages
from speech_translator.api.compat import realtime_events as events
from speech_translator.api.compat.realtime_events import ClientEvent
from speech_translator.api.compat.realtime_reading import read_event
from speech_translator.api.compat.realtime_session import WantedSession
from speech_translator.errors import SpeechTranslatorError
from speech_translator.streaming import messages
from speech_translator.streaming.messages import (
    AudioFormat,
    encode,
    parse_control,
    parse_first,
    parse_start,
    updated,
)
from tests.support.api import running

SOUND = AudioFormat("pcm_s16le", 16_000)
EVENTS = [
    messages.Ready(
        session_id="a", resumed=False, audio_s=0.0, resume_token=None, share_secret="s",
        source_language="en", target_languages=("pt",), audio=SOUND,
        partials=True, speech=False, voice=None, barge_in=False,
    ),
    messages.Partial(
        segment_id=1, start=0.0, end=1.0, text="Hi", confirmed_chars=2, language=None,
        translations={"pt": "Oi"},
    ),
    messages.Final(
        segment_id=1, start=0.0, end=1.0, text="Hi", language="en", translations={}, latency_ms=9
    ),
    messages.SpokenAudio(
        segment_id=1, language="pt", index=0, last=True, sample_rate=24_000, audio=b"\0\0"
    ),
    messages.SpeechStopped(audio_s=1.0),
    messages.Ack(audio_s=1.0),
    messages.Warned(code="draining", message="It stops."),
    messages.Failed(code="internal", message="No.", fatal=True, details={"a": 1}),
    messages.Updated(target_languages=("fr",), speech=True, voice=None),
    messages.Unshared(),
    messages.Done(reason="end", audio_s=1.0, segments=1),
]  # fmt: skip
TAKEN = [
    {"source_language": "auto"},
    {"type": "start", "source_language": "en", "target_languages": ["pt"], "partials": True},
    {"source_language": "en", "audio": {"encoding": "mulaw", "sample_rate": 8000}},
    {"source_language": "en", "audio": {"encoding": "webm_opus"}},
    {"source_language": "en", "target_languages": ["pt"], "speech": True, "voice": "kokoro/pf"},
    {"source_language": "en", "target_languages": ["pt"], "speech": True, "barge_in": True},
    {"source_language": "en", "share": True},
    {"source_language": "en", "glossary": {"water": "aqua"}},
    {"type": "resume", "token": "t", "last_seq": 4},
]
UPDATES = [
    {"type": "update", "target_languages": []},
    {"type": "update", "target_languages": ["fr"], "speech": True, "voice": "kokoro:fr"},
]
NO_UPDATES = [
    {"type": "update"},
    {"type": "update", "target_languages": "fr"},
    {"type": "update", "target_languages": ["fr"] * 6},
    {"type": "update", "target_languages": ["fr"], "partials": True},
]
REFUSED = [
    {},
    {"source_language": 1},
    {"source_language": "en", "colour": "red"},
    {"source_language": "en", "glossary": {"water": 1}},
    {"source_language": "en", "target_languages": ["pt"] * 6},
    {"source_language": "en", "audio": {"encoding": "flac"}},
    {"source_language": "en", "audio": {"sample_rate": 7}},
    {"type": "resume", "token": "t"},
    {"type": "resume", "token": "t", "last_seq": -1},
]


def checker(*names: str, channel: str = "live") -> jsonschema_rs.Validator:
    """What checks that a message is one of those with these names."""
    found = json.loads(document(""))
    messages_ = found["channels"][channel]["messages"]
    payloads = [messages_[name]["payload"] for name in names]
    return jsonschema_rs.validator_for({"anyOf": payloads, "components": found["components"]})


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_sent_is_described(event: messages.ServerEvent) -> None:
    sent = json.loads(encode(event, 7))
    check = checker(sent["type"])
    assert check.is_valid(sent)
    del sent["seq"]
    assert not check.is_valid(sent)


def test_every_message_of_the_server_has_an_example_here() -> None:
    assert [json.loads(encode(event, 1))["type"] for event in EVENTS] == list(server_messages())


@pytest.mark.parametrize("message", TAKEN)
def test_what_is_taken_is_described(message: dict[str, Any]) -> None:
    parse_first(json.dumps(message))
    assert checker("start", "resume").is_valid(message)


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused_is_not(message: dict[str, Any]) -> None:
    with pytest.raises(SpeechTranslatorError):
        parse_first(json.dumps(message))
    assert not checker("start", "resume").is_valid(message)


@pytest.mark.parametrize("message", UPDATES)
def test_an_update_that_is_taken_is_described(message: dict[str, Any]) -> None:
    parse_control(json.dumps(message))
    assert checker("update").is_valid(message)


@pytest.mark.parametrize("message", NO_UPDATES)
def test_one_that_is_refused_is_not(message: dict[str, Any]) -> None:
    with pytest.raises(SpeechTranslatorError):
        updated(parse_start('{"source_language": "en"}'), parse_control(json.dumps(message)))
    assert not checker("update").is_valid(message)


OPENAIS_CLIENT = [
    {"type": "session.update", "session": {"audio": {"output": {"language": "es"}}}},
    {"type": "session.update", "session": {"audio": {"input": {"noise_reduction": None}}}},
    {
        "type": "session.update",
        "event_id": "e",
        "session": {"audio": {"input": {"transcription": {"model": "w"}}}},
    },
    {"type": "session.input_audio_buffer.append", "audio": "AAAA"},
    {"type": "session.close", "event_id": "e"},
]
NOT_OPENAIS_CLIENT = [
    {"type": "session.update", "session": {"audio": {"output": {"voice": "marin"}}}},
    {
        "type": "session.update",
        "session": {"audio": {"input": {"noise_reduction": {"type": "loud"}}}},
    },
    {"type": "session.input_audio_buffer.append"},
    {"type": "session.close", "event_id": "e" * 513},
    {"type": "response.create"},
]


@pytest.mark.parametrize("message", OPENAIS_CLIENT)
def test_what_openais_clients_may_send_is_described(message: dict[str, Any]) -> None:
    read_event(json.dumps(message))
    assert checker(message["type"], channel="realtime").is_valid(message)


@pytest.mark.parametrize("message", NOT_OPENAIS_CLIENT)
def test_what_they_may_not_is_not(message: dict[str, Any]) -> None:
    with pytest.raises(SpeechTranslatorError):
        read_event(json.dumps(message))
    names = [each.__struct_config__.tag for each in ClientEvent.__subclasses__()]
    assert not checker(*names, channel="realtime").is_valid(message)


def test_what_they_are_told_is_described() -> None:
    session = WantedSession("m", transcription="w").shown("1", 7)
    about = events.RealtimeError(message="No.", type="server_error", code="internal")
    text = {"event_id": "e", "delta": "Hi", "elapsed_ms": 200}
    told = [
        events.ErrorEvent(event_id="e", error=about),
        events.SessionCreated(event_id="e", session=session),
        events.SessionUpdated(event_id="e", session=session),
        events.InputTranscriptDelta(**text),
        events.OutputTranscriptDelta(**text),
        events.OutputAudioDelta(event_id="e", delta=b"00", elapsed_ms=0, sample_rate=24_000),
        events.SessionClosed(event_id="e"),
    ]
    sent = [json.loads(msgspec.json.encode(event)) for event in told]
    for message in sent:
        assert checker(message["type"], channel="realtime").is_valid(message)
    names = {event.__struct_config__.tag for event in events.RealtimeEvent.__subclasses__()}
    assert {message["type"] for message in sent} == names


def test_every_reference_leads_somewhere() -> None:
    found = json.loads(document("/speech"))

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [ref for value in part.values() for ref in references(value)]
        return [ref for value in part for ref in references(value)] if type(part) is list else []

    named = references(found)
    assert len(named) > len(client_messages()) + len(server_messages())
    for ref in named:
        place = found
        for step in ref.removeprefix("#/").split("/"):
            place = place[step]
    assert found["channels"]["live"]["address"] == "/speech/translate/stream"
    assert found["channels"]["realtime"]["address"] == "/speech/v1/realtime/translations"


async def test_it_is_served_and_linked(tmp_path) -> None:
    async with running(data_dir=tmp_path / "data") as api:
        links = (await api.client.get("/", headers={"Accept": "application/json"})).json()["links"]
        answer = await api.client.get(links["asyncapi"])
    assert answer.json()["asyncapi"] == "3.0.0"
