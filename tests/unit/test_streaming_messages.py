import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import (
    InvalidField,
    InvalidRequest,
    MalformedBody,
    ProtocolViolation,
    SpeechTranslatorError,
    UnknownLanguage,
)
from speech_translator.streaming.messages import (
    Final,
    SpokenAudio,
    Warned,
    encode,
    parse_control,
    parse_start,
)


def start(**fields: Any) -> str:
    return json.dumps({"source_language": "en", **fields})


def test_the_least_that_a_client_can_say() -> None:
    request = parse_start(start())
    assert request.source is not None
    assert (request.source.tag, request.targets) == ("en", ())
    assert (request.audio.encoding, request.audio.sample_rate) == ("pcm_s16le", 16_000)
    assert not request.partials
    assert not request.speech
    assert request.voice is None


def test_everything_that_a_client_can_say() -> None:
    request = parse_start(
        start(
            type="start",
            source_language="auto",
            target_languages=["pt-BR", "fra_Latn"],
            audio={"encoding": "mulaw", "sample_rate": 8000},
            partials=True,
            speech=True,
            voice="kokoro:pf_dora",
            glossary={"water": "aqua"},
            barge_in=True,
        )
    )
    assert request.source is None
    assert [target.tag for target in request.targets] == ["pt-BR", "fr"]
    assert (request.audio.encoding, request.audio.sample_rate) == ("mulaw", 8000)
    assert request.partials
    assert request.speech
    assert request.voice == "kokoro:pf_dora"
    assert request.glossary == {"water": "aqua"}
    assert request.barge_in


@pytest.mark.parametrize(
    ("message", "error", "field"),
    [
        ("", MalformedBody, None),
        ("hello", MalformedBody, None),
        ("[1]", MalformedBody, None),
        ('{"source_language": "en"', MalformedBody, None),
        ('{"a":' * 3000, MalformedBody, None),
        ("[" * 16_000, MalformedBody, None),
        (b"\x00\x01", ProtocolViolation, None),
        (start(type="end"), ProtocolViolation, None),
        (start(type="resume"), ProtocolViolation, None),
        (start(type=7), ProtocolViolation, None),
        (" " * 140_000 + start(), ProtocolViolation, None),
        (start(glossary=["water"]), InvalidField, "glossary"),
        (start(glossary={"water": 1}), InvalidField, "glossary[...]"),
        ("{}", InvalidField, "source_language"),
        (start(source_language=1), InvalidField, "source_language"),
        (start(target_language="pt"), InvalidField, None),
        (start(target_languages="pt"), InvalidField, "target_languages"),
        (start(target_languages=[1]), InvalidField, "target_languages[0]"),
        (start(target_languages=["pt", "por"]), InvalidField, "target_languages"),
        (start(target_languages=["pt"] * 6), InvalidField, "target_languages"),
        (start(partials="yes"), InvalidField, "partials"),
        (start(speech=True), InvalidField, "speech"),
        (start(voice="kokoro:pf_dora", target_languages=["pt"]), InvalidField, "voice"),
        (start(voice=1, speech=True, target_languages=["pt"]), InvalidField, "voice"),
        (start(barge_in="yes"), InvalidField, "barge_in"),
        (start(audio=None), InvalidField, "audio"),
        (start(audio={"encoding": "opus"}), InvalidField, "audio.encoding"),
        (start(audio={"encoding": "webm_opus", "sample_rate": 48_000}), InvalidField,
         "audio.sample_rate"),
        (start(audio={"sample_rate": 44_100}), InvalidField, "audio.sample_rate"),
        (start(audio={"sample_rate": 1e4}), InvalidField, "audio.sample_rate"),
        (start(audio={"sample_rate": "16000"}), InvalidField, "audio.sample_rate"),
        (start(source_language="xx"), UnknownLanguage, None),
        (start(source_language="\ud800"), InvalidRequest, None),
        (start(target_languages=["auto"]), UnknownLanguage, None),
        (start(source_language="e" * 9000), UnknownLanguage, None),
    ],
)  # fmt: skip
def test_a_wrong_first_message_is_refused_with_its_reason(
    message: str | bytes, error: type[SpeechTranslatorError], field: str | None
) -> None:
    with pytest.raises(error) as raised:
        parse_start(message)
    assert raised.value.details.get("field") == field


def test_refusals_never_quote_the_client() -> None:
    for message in (
        start(source_language="zzsecretzz"),
        start(zzsecretzz=1),
        start(audio={"zzsecretzz": 1}),
        start(audio={"encoding": "zzsecretzz"}),
        start(type="zzsecretzz"),
        start(glossary={"zzsecretzz": 1}),
    ):
        with pytest.raises(SpeechTranslatorError) as raised:
            parse_start(message)
        assert "zzsecretzz" not in f"{raised.value.message} {raised.value.details}"


@pytest.mark.parametrize("encoding", ["webm_opus", "ogg_opus"])
def test_a_container_states_its_own_rate(encoding: str) -> None:
    audio = parse_start(start(audio={"encoding": encoding})).audio
    assert (audio.encoding, audio.sample_rate) == (encoding, None)


def test_later_messages_are_the_end_and_signs_of_life() -> None:
    assert parse_control('{"type": "end"}') == "end"
    assert parse_control('{"type": "keep_alive"}') == "keep_alive"
    for message in ('{"type": "start"}', "{}", '{"type": 3}', " " * 20_000 + '{"type": "end"}'):
        with pytest.raises(ProtocolViolation):
            parse_control(message)
    with pytest.raises(MalformedBody):
        parse_control("end")


@given(st.text(max_size=300) | st.binary(max_size=30))
def test_garbage_is_refused_and_never_crashes(message: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_start(message)


def test_events_are_json_with_type_and_number() -> None:
    event = Final(
        segment_id=3,
        start=1.0,
        end=2.5,
        text='He said "<hi>"',
        language="en",
        translations={"pt": "Ele disse"},
        latency_ms=700,
    )
    body = json.loads(encode(event, 12))
    assert (body["type"], body["seq"]) == ("final", 12)
    assert body["text"] == 'He said "<hi>"'
    assert body["translations"] == {"pt": "Ele disse"}


def test_audio_is_base64() -> None:
    event = SpokenAudio(
        segment_id=1, language="pt", index=0, last=True, sample_rate=24_000, audio=b"\x01\x02\xff"
    )
    body = json.loads(encode(event, 1))
    assert base64.b64decode(body["audio"]) == b"\x01\x02\xff"
    assert body["encoding"] == "pcm_s16le"


def test_details_that_json_does_not_know_are_written_as_text() -> None:
    body = json.loads(encode(Warned(code="x", message="y", details={"a": object}), 1))
    assert "object" in body["details"]["a"]
