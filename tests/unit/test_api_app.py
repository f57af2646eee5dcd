"""The routes over scripted engines: shapes of answers, and every way to be refused."""

import asyncio
import base64
import email
import json

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from speech_translator import errors
from speech_translator.exports import DOCX_TYPE
from tests.support.api import running, standard_engines
from tests.support.documents import read_docx
from tests.support.scripted_broker import translator

SECRET = "topsecretwords"
UPLOAD = {"file": ("speech.wav", b"RIFF....WAVE", "audio/wav")}


@pytest.fixture
async def api():
    async with running() as harness:
        yield harness


async def translate(harness, **body):
    return await harness.client.post(
        "/translate/text", json={"text": "Hello there", "target_language": "pt", **body}
    )


def problem(answer, status, code):
    """The problem document, once its outside is as promised."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["type"].endswith(code)
    assert body["title"]
    assert body["detail"]
    assert SECRET not in answer.text
    return body


# POST /translate/text


async def test_a_text_is_translated(api):
    answer = await translate(api, source_language="eng_Latn", target_language="por")
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("request_id") == answer.headers["x-request-id"]
    assert body == {
        "translation": "pt:Hello there",
        "source_language": "en",
        "target_language": "pt",
        "engine": "bergamot",
        "route": ["bergamot:en-pt"],
        "cached": False,
        "degraded": False,
        "rule_based": False,
    }


async def test_a_second_time_comes_from_the_cache(api):
    await translate(api, source_language="en")
    assert (await translate(api, source_language="en")).json()["cached"] is True
    assert len(api.engine("bergamot").calls) == 1


async def test_the_language_is_detected_and_said(api):
    body = (await translate(api, text="Hello there, my good old friend.")).json()
    assert body["detected_language"] == "en"
    assert body["source_language"] == "en"


async def test_what_cannot_be_detected_is_a_422(api):
    problem(await translate(api, text="xq zv"), 422, "language_not_detected")


async def test_a_list_answers_a_list_and_says_how_each_was_made(api):
    await translate(api, text="Hello there", source_language="en")
    texts = ["Hello there", "Good morning", "🙂"]
    body = (await translate(api, text=texts, source_language="en")).json()
    assert body["translation"] == ["pt:Hello there", "pt:Good morning", "🙂"]
    assert body["cached"] is False
    assert [item["cached"] for item in body["items"]] == [True, False, False]
    assert body["route"] == ["bergamot:en-pt"]
    assert body["engine"] == "bergamot+none"
    assert "detected_language" not in body


async def test_a_list_of_several_languages_says_so(api):
    texts = [
        "Good morning, how are you today, my friend?",
        "Olá, bom dia, como está você hoje, meu amigo?",
        "🙂",
    ]
    body = (await translate(api, text=texts, target_language="en")).json()
    assert body["source_language"] == body["detected_language"] == "mul"
    assert [item["detected_language"] for item in body["items"]] == ["en", "pt", "und"]


async def test_a_list_of_one_is_a_list(api):
    body = (await translate(api, text=["Hello"], source_language="en")).json()
    assert body["translation"] == ["pt:Hello"]
    assert len(body["items"]) == 1


@pytest.mark.parametrize("text", [" ", "\n\t ", "🙂🎉", "👩‍👩‍👧", "123 + 4 = 127", "..."])
@pytest.mark.parametrize("source", ["auto", "en"])
async def test_text_with_nothing_to_translate_comes_back_unchanged(api, text, source):
    answer = await translate(api, text=text, source_language=source)
    assert answer.status_code == 200
    assert answer.json()["translation"] == text
    assert answer.json()["source_language"] == ("und" if source == "auto" else "en")


async def test_a_glossary_and_html_reach_the_service(api):
    answer = await translate(
        api,
        text="<p>Hello <b>there</b></p>",
        source_language="en",
        format="html",
        glossary={"there": "aí"},
    )
    assert answer.status_code == 200
    assert answer.json()["translation"].startswith("<p>")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": ""}, 422, "empty_text"),
        ({"text": []}, 422, "empty_text"),
        ({"text": ["fine", ""]}, 422, "empty_text"),
        ({"text": SECRET * 1000}, 422, "text_too_long"),
        ({"text": ["a" * 9_999] * 11}, 422, "text_too_long"),
        ({"text": ["a"] * 129}, 422, "too_many_texts"),
        ({"text": f"{SECRET}\x00"}, 422, "invalid_text"),
        ({"text": f"{SECRET}\x1b[31m"}, 422, "invalid_text"),
        ({"text": 7}, 422, "invalid_field"),
        ({"text": None}, 422, "invalid_field"),
        ({"text": [["a"]]}, 422, "invalid_field"),
        ({"target_language": SECRET}, 422, "unknown_language"),
        ({"target_language": "xx"}, 422, "unknown_language"),
        ({"target_language": ""}, 422, "unknown_language"),
        ({"target_language": "auto"}, 422, "unknown_language"),
        ({"target_language": "e" * 10_000}, 422, "unknown_language"),
        ({"source_language": "klingon-x"}, 422, "unknown_language"),
        ({"source_language": "en", "target_language": "de"}, 422, "unsupported_pair"),
        ({"format": "pdf"}, 422, "invalid_field"),
        ({SECRET: 1}, 422, "invalid_field"),
        ({"source_language": "en", "glossary": {"": "x"}}, 422, "invalid_glossary"),
        (
            {"source_language": "en", "glossary": {str(n): "x" for n in range(201)}},
            422,
            "invalid_glossary",
        ),
    ],
)
async def test_bad_requests_are_named(api, body, status, code):
    problem(await translate(api, **body), status, code)
    assert (await translate(api, source_language="en")).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"text":',
        b'{"text":"\xff\xfe","target_language":"pt"}',
        b'{"text":"\\ud800","target_language":"pt"}',
        b'{"glossary":' + b'{"a":' * 50_000,
        b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_bodies_that_are_no_json(api, content):
    answer = await api.client.post(
        "/translate/text", content=content, headers={"content-type": "application/json"}
    )
    problem(answer, 400, "malformed_body")


async def test_a_body_over_the_cap(api):
    answer = await api.client.post("/translate/text", content=b" " * (2 * 1024 * 1024 + 1))
    assert problem(answer, 413, "payload_too_large")["limit_bytes"] == 2 * 1024 * 1024


async def test_unknown_languages_get_suggestions(api):
    body = problem(await translate(api, target_language="portugese"), 422, "unknown_language")
    assert body["field"] == "target_language"
    assert isinstance(body["close_matches"], list)


async def test_an_unsupported_pair_says_what_is_supported(api):
    answer = await translate(api, source_language="en", target_language="fra_Latn")
    assert problem(answer, 422, "unsupported_pair")["supported_targets"] == ["pt"]


async def test_curl_posts_a_form_type_and_is_understood(api):
    answer = await api.client.post(
        "/translate/text",
        content=b'{"text":"Hello", "source_language":"en", "target_language":"pt"}',
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.json()["translation"] == "pt:Hello"


async def test_a_page_of_our_own_may_post_but_not_as_a_form(api):
    own = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
    body = {"text": "Hello", "source_language": "en", "target_language": "pt"}
    assert (await api.client.post("/translate/text", json=body, headers=own)).status_code == 200
    answer = await api.client.post("/translate/text", data=body, headers=own)
    problem(answer, 415, "unsupported_media_type")


async def test_other_sites_pages_and_foreign_hosts_are_refused(api):
    answer = await api.client.post(
        "/translate/text", json={}, headers={"origin": "http://evil.example"}
    )
    problem(answer, 403, "cross_site_request")
    problem(
        await api.client.get("/health", headers={"host": "evil.example"}), 421, "untrusted_host"
    )


# Deadlines, failures, clients that leave


@pytest.mark.parametrize("value", ["0", "-1", "nan", "soon", ""])
async def test_a_timeout_must_be_a_positive_number(api, value):
    answer = await api.client.post(
        "/translate/text",
        json={"text": "Hello", "target_language": "pt"},
        headers={"x-request-timeout": value},
    )
    assert problem(answer, 422, "invalid_field")["field"] == "X-Request-Timeout"


async def test_the_callers_timeout_shortens_the_deadline_and_never_lengthens_it(api):
    seen = []
    broker_submit = api.broker.submit

    async def submit(engine, call, *, deadline, **rest):
        seen.append(deadline.remaining())
        return await broker_submit(engine, call, deadline=deadline, **rest)

    api.broker.submit = submit
    for value in ("5", "100000", "inf"):
        await api.client.post(
            "/translate/text",
            json={"text": f"Hello {value}", "source_language": "en", "target_language": "pt"},
            headers={"x-request-timeout": value},
        )
    short, long, endless = seen
    assert short <= 5
    assert 5 < long <= 60
    assert 5 < endless <= 60


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (errors.Overloaded("Full.", retry_after=3), 503, "overloaded", "3"),
        (errors.EngineUnavailable("Restarting."), 503, "engine_unavailable", "2"),
        (errors.EngineFailed("It failed."), 502, "engine_failed", None),
        (errors.EngineTimeout("Slow."), 504, "engine_timeout", "5"),
        (errors.ShuttingDown("Stopping."), 503, "shutting_down", "5"),
        (errors.PoisonousInput("It crashed the engine."), 422, "poisonous_input", None),
        (RuntimeError(SECRET), 500, "internal", None),
    ],
)
async def test_failures_of_engines_are_told_and_the_next_request_is_served(
    api, error, status, code, retry
):
    def fail(_call):
        raise error

    engine = api.engine("bergamot")
    works, engine.answer = engine.answer, fail
    answer = await translate(api, source_language="en")
    problem(answer, status, code)
    assert answer.headers.get("retry-after") == retry
    engine.answer = works
    assert (await translate(api, source_language="en")).status_code == 200


async def test_a_deadline_that_passes_is_a_504(api):
    api.engine("bergamot").hangs = True
    answer = await api.client.post(
        "/translate/text",
        json={"text": "Hello", "source_language": "en", "target_language": "pt"},
        headers={"x-request-timeout": "1e-9"},
    )
    problem(answer, 504, "deadline_exceeded")


async def test_the_log_of_a_failure_has_no_text_in_it(api):
    def fail(call):
        raise RuntimeError(call.text)

    api.engine("bergamot").answer = fail
    answer = await translate(api, text=SECRET, source_language="en")
    assert SECRET not in api.log.getvalue()
    failed, request = api.lines()
    assert failed["event"] == "request_failed"
    assert failed["exception"]["type"] == "RuntimeError"
    assert request["event"] == "request"
    assert request["route"] == "/translate/text"
    assert request["status"] == 500
    assert {failed["request_id"], request["request_id"]} == {answer.headers["x-request-id"]}


async def test_a_client_that_leaves_cancels_its_work(api):
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def submit(*_args, **_kwargs):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    api.broker.submit = submit
    left, sent = asyncio.Event(), []
    body = b'{"text":"Hello","source_language":"en","target_language":"pt"}'
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/translate/text", "raw_path": b"/translate/text", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip
    serving = asyncio.create_task(api.app(scope, receive, send))
    await begun.wait()
    left.set()
    await serving
    assert cancelled.is_set()
    assert sent == []


async def test_more_requests_than_the_limit_are_refused_but_probes_are_not():
    async with running(max_concurrent_requests=1) as harness:
        release, begun = asyncio.Event(), asyncio.Event()
        submit = harness.broker.submit

        async def held(*args, **kwargs):
            begun.set()
            await release.wait()
            return await submit(*args, **kwargs)

        harness.broker.submit = held
        first = asyncio.create_task(translate(harness, source_language="en"))
        await begun.wait()
        refused = await translate(harness, source_language="en")
        problem(refused, 503, "overloaded")
        assert (await harness.client.get("/health/live")).status_code == 200
        release.set()
        assert (await first).status_code == 200


async def test_more_recordings_than_the_limit_are_refused_unread():
    async with running(max_concurrent_recordings=1) as harness:
        release, begun = asyncio.Event(), asyncio.Event()
        submit = harness.broker.submit

        async def held(*args, **kwargs):
            begun.set()
            await release.wait()
            return await submit(*args, **kwargs)

        harness.broker.submit = held
        first = asyncio.create_task(transcribe(harness, source_language="en"))
        await begun.wait()
        problem(await speak(harness), 503, "overloaded")
        assert len(harness.decoders.seen) == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        release.set()
        assert (await transcribe(harness, source_language="en")).status_code == 200


async def test_unknown_routes_and_methods_are_problems_too(api):
    problem(await api.client.get("/nothing/here"), 404, "not_found")
    problem(await api.client.get("/translate/text/"), 404, "not_found")
    answer = await api.client.get("/translate/text")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    answer = await api.client.put("/auth/token")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, POST"
    assert (await api.client.put("/openapi.json")).headers["allow"] == "GET"
    problem(await api.client.get("/docs/../../settings.py"), 404, "not_found")
    problem(await api.client.get("/docs/..%2f..%2fsettings.py"), 404, "not_found")
    problem(await api.client.get("/assets/index.html"), 404, "not_found")
    problem(await api.client.get("/docs/favicon-32x32.png"), 404, "not_found")


async def test_every_answer_is_told_apart_and_closed_to_sniffing(api):
    seen = set()
    for path in ("/", "/health", "/nothing", "/docs"):
        answer = await api.client.get(path)
        seen.add(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert len(seen) == 4


async def test_a_client_cannot_choose_its_request_id(api):
    answer = await api.client.get("/health", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] != "mine"


# Recordings


async def transcribe(harness, files=None, **fields):
    return await harness.client.post("/transcribe/audio", files=files or UPLOAD, data=fields)


async def speak(harness, accept="*/*", **fields):
    return await harness.client.post(
        "/translate/speech",
        files=UPLOAD,
        data={"source_language": "en", "target_language": "pt", **fields},
        headers={"accept": accept},
    )


async def test_a_recording_is_transcribed(api):
    answer = await transcribe(api, source_language="en")
    body = answer.json()
    assert body.pop("request_id") == answer.headers["x-request-id"]
    assert api.decoders.seen == [b"RIFF....WAVE"]
    assert body["text"] == "Hello there."
    assert body["language"] == "en"
    assert body["duration"] == 2.0
    assert body["engine"] == "whisper"
    (segment,) = body["segments"]
    assert set(segment) == {"id", "start", "end", "text"}
    assert set(body) == {
        "text",
        "language",
        "language_confidence",
        "duration",
        "segments",
        "engine",
        "degraded",
    }


async def test_a_target_adds_the_translation_everywhere(api):
    body = (await transcribe(api, source_language="en", target_language="pt")).json()
    assert body["translation"] == {
        "text": "pt:Hello there.",
        "language": "pt",
        "route": ["bergamot:en-pt"],
        "degraded": False,
        "rule_based": False,
    }
    assert body["segments"][0]["translation"] == "pt:Hello there."


async def test_the_verbose_form_says_more(api):
    body = (await transcribe(api, response_format="verbose_json", word_timestamps="true")).json()
    assert body["audio"] == {
        "format": "wav",
        "codec": "pcm_s16le",
        "sample_rate": 44_100,
        "channels": 2,
        "truncated": False,
    }
    assert body["segments"][0]["confidence"] == 0.9
    assert body["segments"][0]["words"] == []


@pytest.mark.parametrize(
    ("shape", "kind", "begins"),
    [
        ("text", "text/plain; charset=utf-8", "pt:Hello"),
        ("srt", "application/x-subrip", "1\n00:00:"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT"),
    ],
)
async def test_other_formats_hold_the_translation(api, shape, kind, begins):
    answer = await transcribe(
        api, source_language="en", target_language="pt", response_format=shape
    )
    assert answer.headers["content-type"] == kind
    assert answer.text.startswith(begins)
    assert "pt:Hello" in answer.text


async def test_a_document_holds_both_texts(api):
    asked = {"source_language": "en", "response_format": "docx"}
    answer = await transcribe(api, target_language="pt", **asked)
    assert answer.headers["content-type"] == DOCX_TYPE
    head, line = read_docx(answer.content).rows
    assert head == ["", "English", "Portuguese"]
    assert line == ["0:00", "Hello there.", "pt:Hello there."]
    assert read_docx((await transcribe(api, **asked)).content).paragraphs == ["0:00  Hello there."]


async def test_speech_is_answered_with_speech(api):
    answer = await speak(api)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-language"] == "pt"
    assert answer.headers["x-source-language"] == "en"
    assert answer.content[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("audio_format", "kind", "magic"),
    [
        ("flac", "audio/flac", b"fLaC"),
        ("opus", "audio/ogg", b"OggS"),
        ("mp3", "audio/mpeg", None),
    ],
)
async def test_speech_in_other_formats(api, audio_format, kind, magic):
    answer = await speak(api, audio_format=audio_format, sample_rate="48000")
    assert answer.headers["content-type"] == kind
    assert magic is None or answer.content.startswith(magic)


async def test_speech_as_json_carries_both_texts_and_the_audio(api):
    body = (await speak(api, accept="application/json", sample_rate="16000")).json()
    assert body["text"] == "Hello there."
    assert body["translation"]["text"] == "pt:Hello there."
    assert body["voice"] == "kokoro:pt"
    assert body["voice_engine"] == "kokoro"
    assert body["sample_rate"] == 16_000
    assert body["audio_media_type"] == "audio/wav"
    assert base64.b64decode(body["audio"])[:4] == b"RIFF"
    assert body["audio_duration"] == pytest.approx(1.5)


async def test_speech_in_parts_is_json_then_audio(api):
    answer = await speak(api, accept="multipart/mixed")
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    first, second = email.message_from_bytes(head + answer.content).get_payload()
    assert first.get_content_type() == "application/json"
    assert json.loads(first.get_payload(decode=True))["translation"]["language"] == "pt"
    assert second.get_content_type() == "audio/wav"
    assert b"audio" not in first.get_payload(decode=True).split(b'"audio_')[0]


@pytest.mark.parametrize("route", ["/transcribe/audio", "/translate/speech"])
@pytest.mark.parametrize(
    ("files", "fields", "status", "code"),
    [
        ({}, {}, 415, "unsupported_media_type"),
        ({"other": ("a", b"x")}, {}, 422, "invalid_field"),
        ({"file": ("a", b"")}, {"target_language": "pt"}, 422, "empty_audio"),
        (None, {"target_language": "xx"}, 422, "unknown_language"),
        (None, {"target_language": "pt", "source_language": SECRET}, 422, "unknown_language"),
        (None, {"target_language": "pt", SECRET: "1"}, 422, "invalid_field"),
        (None, {"target_language": "pt", "glossary": SECRET}, 422, "invalid_glossary"),
        (None, {"target_language": "pt", "glossary": "[1]"}, 422, "invalid_glossary"),
    ],
)
async def test_bad_forms_are_named_and_nothing_is_decoded(api, route, files, fields, status, code):
    answer = await api.client.post(route, files=UPLOAD if files is None else files, data=fields)
    problem(answer, status, code)
    assert api.decoders.seen == []


@pytest.mark.parametrize(
    ("route", "fields", "code"),
    [
        ("/transcribe/audio", {"response_format": "pdf"}, "invalid_field"),
        ("/transcribe/audio", {"word_timestamps": "maybe"}, "invalid_field"),
        ("/transcribe/audio", {"voice": "kokoro:pt"}, "invalid_field"),
        ("/translate/speech", {}, "invalid_field"),
        ("/translate/speech", {"target_language": "pt", "audio_format": "aiff"}, "invalid_field"),
        (
            "/translate/speech",
            {"target_language": "pt", "sample_rate": "12345"},
            "unsupported_format",
        ),
        ("/translate/speech", {"target_language": "pt", "sample_rate": "-1"}, "invalid_field"),
        ("/translate/speech", {"target_language": "pt", "sample_rate": "9" * 99}, "invalid_field"),
    ],
)
async def test_bad_fields_of_one_route(api, route, fields, code):
    problem(await api.client.post(route, files=UPLOAD, data=fields), 422, code)
    assert api.decoders.seen == []


@pytest.mark.parametrize(
    ("route", "fields", "code"),
    [
        ("/translate/speech", {"target_language": "pt", "voice": SECRET}, "unsupported_voice"),
        ("/translate/speech", {"target_language": "de"}, "unsupported_voice"),
        (
            "/translate/speech",
            {"source_language": "en", "target_language": "fr"},
            "unsupported_pair",
        ),
        ("/transcribe/audio", {"target_language": "it"}, "unsupported_pair"),
        ("/transcribe/audio", {"source_language": "xh"}, "unsupported_pair"),
    ],
)
async def test_what_no_engine_can_do_is_refused_before_decoding(api, route, fields, code):
    problem(await api.client.post(route, files=UPLOAD, data=fields), 422, code)
    assert api.decoders.seen == []


async def test_a_recording_has_its_own_length_to_be_worked_on():
    async with running(audio_request_timeout_s=10.0) as harness:
        harness.decoders.seconds = 300.0
        seen = []
        submit = harness.broker.submit

        async def watch(engine, call, *, deadline, **rest):
            seen.append(deadline.remaining())
            return await submit(engine, call, deadline=deadline, **rest)

        harness.broker.submit = watch
        assert (await transcribe(harness)).status_code == 200
        assert seen
        assert min(seen) > 10.0
        seen.clear()
        await harness.client.post(
            "/transcribe/audio", files=UPLOAD, headers={"X-Request-Timeout": "20"}
        )
        assert max(seen) <= 20.0


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.UnsupportedAudio("No audio."), 415, "unsupported_audio"),
        (errors.NoAudioTrack("Only pictures."), 422, "no_audio_track"),
        (errors.DamagedAudio("Broken."), 422, "damaged_audio"),
        (errors.AudioTooLong("Too long.", limit_seconds=7200), 413, "audio_too_long"),
        (errors.Overloaded("Busy."), 503, "overloaded"),
    ],
)
async def test_audio_that_cannot_be_used(api, error, status, code):
    def refuse(_data):
        raise error

    api.decoders.answer = refuse
    problem(await transcribe(api), status, code)
    api.decoders.answer = None
    assert (await transcribe(api)).status_code == 200


async def test_an_upload_over_the_cap():
    async with running(max_upload_bytes=1024) as harness:
        answer = await transcribe(harness, files={"file": ("a.wav", bytes(1025))})
        assert problem(answer, 413, "payload_too_large")["limit_bytes"] == 1024
        answer = await transcribe(harness, files={"file": ("a.wav", bytes(3_000_000))})
        problem(answer, 413, "payload_too_large")
        assert (
            await transcribe(harness, files={"file": ("a.wav", bytes(1024))})
        ).status_code == 200


# Health


async def test_a_service_with_all_its_engines_is_healthy(api):
    answer = await api.client.get("/health")
    body = answer.json()
    assert answer.status_code == 200
    assert body["overall_status"] == "healthy"
    assert body["ready"] is True
    assert body["engines"]["bergamot"]["state"] == "ready"
    assert (await api.client.get("/health/simple")).text == "OK"
    assert (await api.client.get("/health/ready")).json() == {"status": "ready"}
    assert (await api.client.get("/health/live")).json() == {"status": "alive"}


async def test_health_follows_the_engines(api):
    api.engine("bergamot").state = "starting"
    assert (await api.client.get("/health")).status_code == 503
    assert (await api.client.get("/health/simple")).status_code == 503
    ready = await api.client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "loading")
    assert (await api.client.get("/health/live")).status_code == 200
    api.engine("bergamot").state = "failed"
    assert (await api.client.get("/health/ready")).json()["status"] == "unavailable"
    api.engine("bergamot").state = "ready"
    api.engine("kokoro").state = "failed"
    body = (await api.client.get("/health")).json()
    assert (body["overall_status"], body["ready"]) == ("degraded", True)


async def test_a_draining_service_is_alive_but_not_ready(api):
    api.app.state.api.drain()
    ready = await api.client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    for path in ("/health", "/health/live", "/metrics"):
        assert (await api.client.get(path)).status_code == 200


async def test_a_draining_service_begins_nothing_new(api):
    api.app.state.api.drain()
    for answer in (
        await translate(api),
        await api.client.get("/languages"),
        await api.client.get("/nowhere"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "draining")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["connection"] == "close"


async def test_what_outlives_the_grace_is_told_so(api):
    begun = asyncio.Event()

    async def hang(*_, **__):
        begun.set()
        await asyncio.Event().wait()

    api.broker.submit = hang
    request = asyncio.create_task(translate(api))
    await begun.wait()
    api.app.state.api.drain()
    request.cancel()  # the transport runs the application in the same task
    answer = await request
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")


async def test_probes_answer_head(api):
    answer = await api.client.head("/health")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0
    assert (await api.client.head("/translate/text")).status_code == 405


# Information


async def test_languages_are_in_libretranslates_shape_and_more(api):
    body = (await api.client.get("/languages")).json()
    by_code = {entry["code"]: entry for entry in body}
    assert by_code["en"]["name"] == "English"
    assert by_code["en"]["targets"] == ["pt"]
    assert by_code["en"]["flores"] == "eng_Latn"
    assert by_code["en"]["iso639_3"] == "eng"
    assert by_code["en"]["routes"] == {"pt": ["bergamot:en-pt"]}
    assert by_code["fr"]["targets"] == []
    assert by_code["fr"]["speech"] == {
        "recognised": True,
        "spoken": True,
        "targets": ["en", "pt"],
    }
    assert by_code["de"]["speech"]["spoken"] is False
    assert [bool(entry["targets"]) for entry in body] == [True, True, False, False]


async def test_languages_follow_the_engines_and_pivot():
    late = translator("bergamot", "en-pt", "pt-en", "en-fr")
    late.state = "starting"
    async with running(*[*standard_engines()[1:], late]) as harness:
        before = (await harness.client.get("/languages")).json()
        assert not any(entry["targets"] for entry in before)
        late.state = "ready"
        after = {e["code"]: e for e in (await harness.client.get("/languages")).json()}
        assert after["pt"]["targets"] == ["en", "fr"]
        assert after["pt"]["routes"]["fr"] == ["bergamot:pt-en", "bergamot:en-fr"]


async def test_languages_tell_which_targets_are_reached_by_rules():
    rules = translator("apertium", "en-ca", "ca-en")
    rules.info = replace(rules.info, rule_based=True)
    engines = [*standard_engines(), rules]
    async with running(*engines, translators=("bergamot", "apertium")) as harness:
        body = (await harness.client.get("/languages")).json()
        found = {entry["code"]: entry["rule_based"] for entry in body if entry["targets"]}
        assert found == {"en": ["ca"], "pt": ["ca"], "ca": ["en", "pt"]}


async def test_voices(api):
    body = (await api.client.get("/voices")).json()
    assert {
        "id": "kokoro:pt",
        "name": "kokoro",
        "engine": "kokoro",
        "language": "pt",
        "gender": "unknown",
        "region": None,
    } in body


async def test_models_tell_licences_and_whether_they_are_here(api, tmp_path):
    body = (await api.client.get("/models")).json()
    by_id = {card["id"]: card for card in body}
    whisper = by_id["whisper-base"]
    assert whisper["licence"] == "MIT"
    assert whisper["commercial_use"] is True
    assert len(whisper["sha256"]) == 64
    assert whisper["install"]
    nllb = by_id["nllb-200-distilled-600m"]
    assert nllb["commercial_use"] is nllb["installed"] is False
    assert nllb["source"].startswith("Hugging Face: ")
    assert len(nllb["revision"]) == 40
    assert all(isinstance(card["installed"], bool) for card in body)
    # The scripted engines are known by the pairs that they translate; the rest name no models.
    assert {card["id"] for card in body if card["loaded"]} == {"bergamot-en-pt", "bergamot-pt-en"}


async def test_metrics_are_the_same_in_text_and_in_json(api):
    await translate(api, source_language="en")
    await translate(api, source_language="en")
    await api.client.get("/nothing")
    text = await api.client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=")
    as_json = (await api.client.get("/metrics", headers={"accept": "application/json"})).json()
    found = {f.name: f for f in text_string_to_metric_families(text.text)}
    assert set(as_json) == set(found)

    def value(name, **labels):
        samples = found[f"speech_translator_{name}"].samples
        return next(s.value for s in samples if labels.items() <= s.labels.items())

    assert value("http_requests", route="/translate/text", status="2xx") == 2
    assert value("http_requests", route="unmatched", status="4xx") == 1
    assert value("characters") == 22
    assert value("engine_state", engine="bergamot", state="ready") == 1
    assert value("engine_state", engine="bergamot", state="failed") == 0
    assert value("cache_lookups", outcome="hit") == 1


async def test_the_start_page_is_for_browsers_and_json_for_the_rest(api):
    body = (await api.client.get("/")).json()
    assert body["name"] == "speech-translator"
    for path in ("documentation", "openapi", "languages", "voices", "models", "health", "metrics"):
        assert (await api.client.get(body["links"][path])).status_code == 200
    page = await api.client.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Speech translator" in page.text
    assert page.headers["vary"] == "Accept"


@pytest.mark.parametrize(("tier", "needed"), [(None, True), ("free", False)])
async def test_it_says_whether_a_key_is_needed(tmp_path, tier, needed):
    async with running(data_dir=tmp_path, anonymous_tier=tier) as harness:
        assert (await harness.client.get("/")).json()["key_needed"] is needed


@pytest.mark.parametrize("path", ["/", "/captions", "/docs"])
async def test_pages_load_nothing_from_elsewhere_and_hold_no_inline_script(api, path):
    from html.parser import HTMLParser
    from urllib.parse import urljoin

    links, inline = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            given = dict(attributes)
            links.extend(given[name] for name in ("src", "href") if name in given)
            inline.extend(name for name in given if name.startswith("on") or name == "style")
            if tag == "style" or (tag == "script" and "src" not in given):
                inline.append(tag)

    page = await api.client.get(path, headers={"accept": "text/html"})
    Reader().feed(page.text)
    assert inline == []
    assert links
    for link in links:
        assert ":" not in link
        assert not link.startswith("/")  # relative: the whole may be mounted under a prefix
        assert (await api.client.get(urljoin(path, link))).status_code == 200, link
    policy = page.headers["content-security-policy"]
    assert "'unsafe" not in policy
    assert "http" not in policy


PUBLIC = {
    "POST /translate",  # their key is in the body, as LibreTranslate has it
    "POST /detect",
    "GET /",
    "GET /.well-known/jwks.json",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /captions/{session}",
    "GET /health/simple",
    "GET /languages",
    "GET /models",
    "GET /voices",
}
"""What anybody may ask for; every other operation is asked for with a key, and says so."""

SCOPES = {
    "POST /auth/api-key": ("admin",),
    "POST /transcribe/audio": ("transcribe",),
    "POST /translate/speech": ("speech",),
    "POST /translate/text": ("translate",),
    "POST /v1/realtime/translations/client_secrets": ("stream",),
}
"""What a key must open for an operation, beside those under /admin/."""


async def test_the_document_asks_for_a_key_wherever_one_is_needed(api):
    document = (await api.client.get("/openapi.json")).json()
    operations = {
        f"{method.upper()} {path}": operation
        for path, found in document["paths"].items()
        for method, operation in found.items()
    }
    assert {name for name, found in operations.items() if "security" not in found} == PUBLIC
    kinds = document["components"]["securitySchemes"]
    scraped = operations["GET /metrics"]["security"]
    assert scraped == [{}, {"ApiKey": ["metrics"]}, {"Bearer": ["metrics"]}]
    for name in operations.keys() - PUBLIC - {"GET /metrics"}:
        offered = [scheme for choice in operations[name]["security"] for scheme in choice]
        assert set(offered) == set(kinds) == {"ApiKey", "Bearer"}
        assert "429" in operations[name]["responses"]
        needed = {
            tuple(roles) for choice in operations[name]["security"] for roles in choice.values()
        }
        assert needed == {SCOPES.get(name, ("admin",) if "/admin/" in name else ())}
        failure = operations[name]["responses"]["401"]
        assert failure["headers"]["WWW-Authenticate"]["required"]


async def test_the_openapi_document_is_whole(api):
    document = (await api.client.get("/openapi.json")).json()
    paths = document["paths"]
    served = {route.path for route in api.app.router.routes if hasattr(route, "path")}
    assert set(paths) >= {"/translate/text", "/transcribe/audio", "/translate/speech", "/health"}
    assert served is not None
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]
    body = paths["/translate/text"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["$ref"].endswith("TranslateTextRequest")
    form = paths["/transcribe/audio"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["required"] == ["file"]
    for operations in paths.values():
        for operation in operations.values():
            assert operation["summary"]
            responses = operation["responses"]
            # A 204 is an answer without a body.
            assert "204" in responses or responses.get("200", responses.get("201"))["content"]
            assert "HTTPValidationError" not in json.dumps(responses)
            assert "default" in operation["responses"]
    ids = [operation["operationId"] for found in paths.values() for operation in found.values()]
    assert len(ids) == len(set(ids))
