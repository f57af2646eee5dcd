"""The whole service with its real engines and decoders, over HTTP."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from tests.support.media_samples import mux, tone, video_only, wav
from tests.support.server import ROOT, start_server

RECORDINGS = Path("/usr/share/pocketsphinx/test/data/librivox")
SPEECH = RECORDINGS / "sense_and_sensibility_01_austen_64kb-0880.wav"
SAID = "He was not an ill-disposed young man"
RATE = 16_000


@pytest.fixture(scope="module")
def client(server):
    with server.client() as made:
        yield made


def words(text):
    return "".join(char if char.isalnum() else " " for char in text.lower()).split()


def translate(client, text="Good morning, my friend.", **fields):
    body = {"text": text, "source_language": "en", "target_language": "pt", **fields}
    return client.post("/translate/text", json=body)


def transcribe(client, data, **fields):
    return client.post("/transcribe/audio", files={"file": ("speech", data)}, data=fields)


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def still_serves(client):
    answer = translate(client)
    assert answer.status_code == 200, answer.text
    assert "bom dia" in answer.json()["translation"].lower()


# Text


def test_the_documented_command_works_as_curl_sends_it(client):
    answer = client.post(
        "/translate/text",
        content=b'{"text":"Good morning", "source_language":"en", "target_language":"por_Latn"}',
        headers={"content-type": "application/x-www-form-urlencoded", "user-agent": "curl/8.0"},
    )
    assert "bom dia" in answer.json()["translation"].lower()


def test_both_ways_a_list_detection_and_html(client):
    body = translate(client, ["Good morning, my friend.", "The house is red."]).json()
    assert "casa" in body["translation"][1].lower()
    back = translate(
        client, "A casa é vermelha e muito bonita.", source_language="auto", target_language="en"
    ).json()
    assert back["detected_language"] == "pt"
    assert {"house", "red"} <= set(words(back["translation"]))
    html = '<p id="a">The house is <b>red</b>. <span translate="no">Red House</span></p>'
    translated = translate(client, html, format="html").json()["translation"]
    assert translated.startswith('<p id="a">')
    assert '<span translate="no">Red House</span>' in translated
    assert "casa" in translated.lower()


BAD_TEXTS = [
    ({"text": ""}, 422, "empty_text"),
    ({"text": "a" * 10_001}, 422, "text_too_long"),
    ({"text": "a\x00b"}, 422, "invalid_text"),
    ({"target_language": "xx"}, 422, "unknown_language"),
    ({"target_language": "jpn_Jpan"}, 422, "unsupported_pair"),
    ({"text": "xqzv", "source_language": "auto"}, 422, "language_not_detected"),
    ({"text": ["a"] * 129}, 422, "too_many_texts"),
    ({"text": 1}, 422, "invalid_field"),
]


@pytest.mark.parametrize(("fields", "status", "code"), BAD_TEXTS)
def test_bad_text_is_refused(client, fields, status, code):
    problem(translate(client, **fields), status, code)


@pytest.mark.parametrize(
    "content",
    [
        b'{"text":"\\ud83d","target_language":"pt"}',
        b'{"text":"\xc3\x28","target_language":"pt"}',
        b'{"glossary":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
)
def test_bad_json_is_refused(client, content):
    headers = {"content-type": "application/json"}
    answer = client.post("/translate/text", content=content, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] in {"malformed_body", "invalid_field"}
    still_serves(client)


# Audio that cannot be used

STEP = wav((tone(1, RATE)[0] * 32767).astype("<i2").tobytes())
BAD_AUDIO = {
    "no bytes": (b"", {"empty_audio"}),
    "text": (b"This is no recording at all. " * 100, {"unsupported_audio"}),
    "html": (b"<!doctype html><title>a</title>", {"unsupported_audio"}),
    "a list of files": (b"ffconcat version 1.0\nfile '/etc/passwd'\n", {"unsupported_audio"}),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", {"unsupported_audio"}),
    "a zip": (b"PK\x03\x04" + bytes(100), {"unsupported_audio"}),
    "only pictures": (video_only(), {"no_audio_track"}),
    "no samples": (wav(b""), {"empty_audio", "damaged_audio"}),
    "only a header": (STEP[:12], {"damaged_audio", "empty_audio", "unsupported_audio"}),
    "cut in its index": (mux("mp4", "aac", tone(1, RATE), RATE)[:300], {"damaged_audio"}),
    "noise behind a header": (b"OggS" + os.urandom(3000), {"damaged_audio", "no_audio_track"}),
}


@pytest.mark.parametrize("name", BAD_AUDIO)
def test_bad_audio_is_refused(client, name):
    data, codes = BAD_AUDIO[name]
    answer = transcribe(client, data)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] in codes
    assert "passwd" not in answer.text


@pytest.mark.parametrize(
    "data",
    [
        mux("wav", "pcm_s16le", tone(1, RATE, 8), RATE),
        mux("wav", "pcm_s16le", tone(1, 192_000), 192_000),
    ],
    ids=["8 channels", "192 kHz"],
)
def test_unusual_audio_is_used_or_refused_but_never_a_fault(client, data):
    answer = transcribe(client, data, source_language="en")
    assert answer.status_code == 200 or 400 <= answer.status_code < 500
    if answer.status_code != 200:
        assert answer.json()["code"]


def test_three_hours_are_refused_in_bounded_memory(client, server):
    silence = mux("flac", "flac", np.zeros((1, 8_000 * 60), np.float32), 8_000)
    # Three hours of 8-bit silence: 86 MB on the wire, 173 MB were it decoded whole.
    long = wav(b"\x80" * (8_000 * 3 * 3600), rate=8_000, bits=8)
    before = sum(process.memory_info().rss for process in server.processes())
    problem(transcribe(client, long), 413, "audio_too_long")
    after = sum(process.memory_info().rss for process in server.processes())
    assert after - before < 300 * 2**20
    assert transcribe(client, silence, source_language="en").json()["text"] == ""
    still_serves(client)


def test_bad_requests_all_at_once_leave_the_service_as_it_was(client, server):
    data = [data for data, _ in BAD_AUDIO.values()] * 3
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda upload: transcribe(client, upload), data))
    assert all(400 <= answer.status_code < 504 for answer in answers)
    assert not any(answer.status_code == 500 for answer in answers)
    assert client.get("/health/ready").status_code == 200
    still_serves(client)


# Speech


def test_a_recording_in_every_format_of_answer(client):
    data = SPEECH.read_bytes()
    body = transcribe(
        client, data, target_language="pt", response_format="verbose_json", word_timestamps="true"
    ).json()
    assert set(words("young man")) <= set(words(body["text"]))
    assert body["language"] == "en"
    assert body["duration"] == pytest.approx(2.99, abs=0.3)
    assert body["audio"]["sample_rate"] == RATE
    assert "jovem" in words(body["translation"]["text"])
    spoken = [word for segment in body["segments"] for word in segment["words"]]
    assert [w["start"] for w in spoken] == sorted(w["start"] for w in spoken)
    assert spoken[-1]["end"] <= body["duration"] + 0.1
    plain = transcribe(client, data, response_format="text")
    assert plain.headers["content-type"].startswith("text/plain")
    assert "young" in words(plain.text)
    srt = transcribe(client, data, response_format="srt", target_language="pt")
    assert srt.text.startswith("1\n00:00:0")
    assert "jovem" in words(srt.text)
    assert transcribe(client, data, response_format="vtt").text.startswith("WEBVTT\n")


def test_speech_comes_back_as_compressed_speech(client):
    said = {}
    for audio_format in ("opus", "mp3"):
        answer = client.post(
            "/translate/speech",
            files={"file": SPEECH.read_bytes()},
            data={
                "source_language": "en",
                "target_language": "pt",
                "audio_format": audio_format,
                "sample_rate": "24000",
            },
        )
        assert answer.status_code == 200, answer.text
        with av.open(io.BytesIO(answer.content)) as container:
            frames = list(container.decode(audio=0))
        said[audio_format] = sum(frame.samples for frame in frames) / frames[0].sample_rate
    assert min(said.values()) > 1
    assert max(said.values()) - min(said.values()) < 0.3


def test_what_was_spoken_is_heard_again(client):
    body = client.post(
        "/translate/speech",
        files={"file": SPEECH.read_bytes()},
        data={"target_language": "pt"},
        headers={"accept": "application/json"},
    ).json()
    assert body["language"] == "en"
    heard = transcribe(client, base64.b64decode(body["audio"]), source_language="pt").json()
    expected, got = words(body["translation"]["text"]), words(heard["text"])
    assert len(set(expected) & set(got)) >= 0.6 * len(set(expected))


# Information, health


def test_the_service_tells_what_it_can_do(client):
    languages = {entry["code"]: entry for entry in client.get("/languages").json()}
    assert set(languages["en"]["targets"]) >= {"pt", "es", "ca", "fr", "it"}
    assert set(languages["fr"]["speech"]["targets"]) >= {"en", "pt"}
    voices = client.get("/voices").json()
    assert {voice["language"] for voice in voices} >= {"en", "pt"}
    for voice in voices:
        assert voice["id"].partition(":")[0] == voice["engine"]
    models = {card["id"]: card for card in client.get("/models").json()}
    assert models["whisper-base"]["loaded"]
    assert models["whisper-base"]["installed"]
    assert models["bergamot-en-pt"]["loaded"]
    figures = client.get("/metrics", headers={"accept": "application/json"}).json()
    assert figures["speech_translator_engine_batch_size"]["samples"]
    assert client.get("/docs/swagger-ui-bundle.js").status_code == 200


def test_the_log_never_holds_what_was_said(client, server):
    secret = "The purple elephant sings at midnight"
    translate(client, secret)
    translate(client, f"{secret}\x00")
    translate(client, target_language=secret)
    transcribe(client, secret.encode(), source_language=secret)
    assert "purple" not in server.log()
    requests = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    assert {"POST"} <= {line.get("method") for line in requests}


def test_it_listens_at_once_and_is_ready_once_its_models_are(server):
    assert server.readiness[0] == 503
    assert set(server.readiness) == {503, 200}


def test_from_start_to_restart(tmp_path):
    only_text = {
        "TRANSCRIBERS": "[]",
        "SYNTHESIZERS": "[]",
        "LIVE_SYNTHESIZERS": "[]",
        "ENVIRONMENT": "production",
        "SECRET_PEPPER": "only for this test, and long enough",
        "ANONYMOUS_TIER": "admin",
        "METRICS_NETWORKS": '["127.0.0.0/8"]',
        "DATA_DIR": str(tmp_path),
    }
    create = [sys.executable, "-m", "speech_translator.cli", "keys", "create", "root"]
    environment = {**os.environ, **only_text}
    subprocess.run(
        [*create, "--tier", "admin"], env=environment, cwd=ROOT, check=True, capture_output=True
    )
    with start_server(only_text, ready=False, keyed=False) as server, server.client() as client:
        assert client.get("/health/live").status_code == 200
        early = translate(client)  # waits for its engine, or says to come back
        assert early.status_code == 200 or early.headers["retry-after"]
        server.wait_ready()
        body = client.get("/health").json()
        assert body["overall_status"] == "healthy"
        assert body["tasks"] == {"translation": "ready"}
        assert "engines" not in body
        problem(transcribe(client, STEP, source_language="en"), 503, "engine_unavailable")

        engine = _engine_process(server)
        os.kill(engine.pid, signal.SIGKILL)
        still_serves(client)  # waits for the restart
        figures = client.get("/metrics").text
        assert 'engine_restarts_total{engine="bergamot"} 1.0' in figures
        until = time.monotonic() + 30
        while client.get("/health").json()["overall_status"] != "healthy":
            assert time.monotonic() < until
            time.sleep(0.1)


def _engine_process(server) -> psutil.Process:
    return next(
        process
        for process in server.processes()
        if any("engine_process" in part for part in process.cmdline())
    )
