"""What users send is looked for in all that the service says, and must not be found.

Each kind of input carries a word of its own through every route, through errors of every kind,
through engines that fail with it in their exceptions, and through live sessions. Then the words are
searched in the output of the whole process tree at debug level, in the metrics, in the audit log,
and in every file that the service keeps.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.canary_engines import HEARD
from tests.support.live_client import live_session
from tests.support.media_samples import wav
from tests.support.server import ROOT, start_server

WORDS = {
    name: f"kanarie-{name}-5f21"
    for name in (
        *("text", "html", "glossary", "term", "file", "content", "field", "unknown", "language"),
        *("voice", "agent", "referer", "cookie", "forwarded", "requestid", "timeout", "origin"),
        *("host", "query", "urlkey", "key", "token", "subprotocol", "idempotency", "path"),
        *(
            "method",
            "type",
            "json",
            "first",
            "message",
            "name",
            "tier",
            "scope",
            "keyid",
            "after",
            "resume",
            "bodykey",
            "model",
            "event",
            "secret",
        ),
    )
}
SPOKEN = HEARD.removeprefix("Heard ").rstrip(".")
W = WORDS

SOUND = wav((np.sin(np.arange(16_000) / 10) * 9000).astype("<i2").tobytes())
SILENCE = bytes(32_000)
LOUD = (np.sin(np.arange(16_000) / 10) * 9000).astype("<i2").tobytes()

# Each header that the service or a library of its reads, and some that it does not.
NOISE = {
    "User-Agent": W["agent"],
    "Referer": f"http://localhost/{W['referer']}",
    "Cookie": f"session={W['cookie']}",
    "X-Forwarded-For": W["forwarded"],
    "X-Request-ID": W["requestid"],
    "Accept-Language": W["language"],
}
QUERY = {"q": W["query"], "api_key": W["urlkey"]}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    settings = {
        "DATA_DIR": str(data),
        "LOG_LEVEL": "debug",
        "MAX_BODY_BYTES": "20000",
        "MAX_UPLOAD_BYTES": "200000",
        "BODY_TIMEOUT_S": "1",
        "PYTHONASYNCIODEBUG": "1",
    }
    program = ("-m", "tests.support.canary_service")
    with start_server(settings, arguments=program) as running:
        running.headers = {}  # each request says whose it is, or that it is nobody's
        yield running, data, admin_key(settings)


def admin_key(settings):
    """Made by the command line, as an operator does."""
    program = "from speech_translator.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "keys", "create", "root", "--tier", "admin"],
        env={**os.environ, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()[-1]


class Caller:
    """Asks with a key, or without where a header is empty, and remembers what was answered."""

    def __init__(self, client: httpx.Client, key: str) -> None:
        self.client = client
        self.key = key
        self.codes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.secrets = [key]
        self.calls = 0

    def ask(self, method: str, path: str, *, headers=None, **rest) -> httpx.Response:
        sent = {**NOISE, "X-API-Key": self.key, **(headers or {})}
        sent = {name: value for name, value in sent.items() if value}
        answer = self.client.request(method, path, headers=sent, params=QUERY, **rest)
        self.calls += 1
        self.statuses[answer.status_code] += 1
        if answer.headers.get("content-type") == "application/problem+json":
            self.codes[answer.json()["code"]] += 1
        return answer

    def text(self, text=W["text"], **fields) -> httpx.Response:
        headers = fields.pop("headers", {})
        body = {"text": text, "source_language": "en", "target_language": "pt", **fields}
        return self.ask("POST", "/translate/text", json=body, headers=headers)

    def upload(self, path="/transcribe/audio", data=SOUND, headers=None, **fields):
        files = {"file": (f"{W['file']}.wav", data, f"audio/{W['type']}")}
        return self.ask("POST", path, files=files, data=fields, headers=headers)


def every_route(caller: Caller) -> None:
    """What the OpenAPI document has, asked by an owner, and with keys that are none."""
    document = caller.client.get("/openapi.json").json()
    wrong = [
        {"X-API-Key": W["key"]},
        {"Authorization": f"Bearer {W['token']}.{W['token']}.x"},
        {"Authorization": f"Basic {W['token']}"},
    ]
    for path, methods in document["paths"].items():
        where = path.replace("{key_id}", W["keyid"])
        for method in methods:
            bodies = [{}] if method in {"get", "delete"} else [{"json": {W["json"]: W["text"]}}]
            for headers in [{}, *({"X-API-Key": "", **one} for one in wrong)]:
                for body in bodies:
                    caller.ask(method.upper(), where, headers=headers, **body)


def good_requests(caller: Caller) -> None:
    idempotent = {"Idempotency-Key": W["idempotency"]}
    for _ in range(2):
        assert caller.text(headers=idempotent).status_code == 200
    assert caller.text(f"{W['text']} again", headers=idempotent).is_client_error
    assert caller.text(f"<p>{W['html']}</p>", format="html").status_code == 200
    assert caller.text(glossary={W["term"]: W["glossary"]}).status_code == 200
    assert caller.text([W["text"], W["html"]]).status_code == 200
    glossary = json.dumps({W["term"]: W["glossary"]})
    heard = caller.upload(target_language="pt", glossary=glossary)
    assert SPOKEN in heard.text
    assert caller.upload("/translate/speech", target_language="pt").status_code == 200
    for path in ("/transcribe/audio", "/translate/speech"):
        keyed = {"Idempotency-Key": f"{W['idempotency']}{path.replace('/', '-')}"}
        for _ in range(2):
            assert caller.upload(path, headers=keyed, target_language="pt").status_code == 200


def libre_translate(caller: Caller) -> None:
    """The routes whose key is in the body: as JSON, as a form, right, wrong and where it broke."""
    nobody = {"X-API-Key": ""}
    common = {"q": W["text"], "source": "en", "target": "pt"}
    key = caller.key
    for path in ("/translate", "/detect"):
        for shape in ("json", "data"):
            for sent, status in (
                ({**common, "api_key": key}, 200),
                ({**common, "api_key": W["bodykey"]}, 403),
                ({**common, "api_key": f"{key[:-1]}!"}, 403),
                ({**common, "q": f"{W['text']}\x00", "api_key": key}, 400),
                ({**common, W["unknown"]: W["field"], "q": "", "api_key": key}, 400),
            ):
                answer = caller.ask("POST", path, headers=nobody, **{shape: sent})
                assert answer.status_code == status, (path, shape, answer.text)
        broken = f'{{"api_key": "{key}", "q": "{W["json"]}'
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            headers = {**nobody, "Content-Type": kind}
            assert caller.ask("POST", path, headers=headers, content=broken).status_code == 400
    for field in ("source", "target", "format"):
        sent = {**common, field: W["language"], "api_key": key}
        assert caller.ask("POST", "/translate", headers=nobody, json=sent).status_code == 400
    for mark, status in (("RAISE", 502), ("BREAK", 500)):
        sent = {**common, "q": f"{mark} {W['text']}.", "api_key": key}
        assert caller.ask("POST", "/translate", headers=nobody, json=sent).status_code == status


def refused_requests(caller: Caller, narrow: str, small: str) -> None:
    caller.text(headers={"X-API-Key": narrow})
    for _ in range(12):
        caller.text(headers={"X-API-Key": small})
    caller.text("")
    caller.text(W["text"] + "\x00")
    caller.text(W["text"] * 1200)
    caller.text(W["text"], target_language=W["language"])
    caller.text(W["text"], source_language=W["language"])
    caller.text(W["text"], target_language="ja")
    caller.text(W["text"], format=W["field"])
    caller.text(W["text"], glossary={W["term"]: ""})
    caller.text(W["text"], **{W["unknown"]: W["field"]})
    caller.text({W["json"]: W["text"]})
    caller.text("<b>" * 300 + W["html"], format="html")
    caller.text(headers={"X-Request-Timeout": W["timeout"]})
    caller.text(headers={"Idempotency-Key": W["idempotency"] * 40})
    caller.text(headers={"Origin": f"http://{W['origin']}.example"})
    caller.text(headers={"Host": f"{W['host']}.example"})
    plain = {"Content-Type": f"text/{W['type']}"}
    for content, headers in [
        (b'{"text": "' + W["json"].encode(), {"Content-Type": "application/json"}),
        (W["json"].encode(), plain),
        (b"[" * 9000 + W["json"].encode(), {"Content-Type": "application/json"}),
        (b"\xff" + W["json"].encode(), {"Content-Type": "application/json"}),
        (W["json"].encode() * 2000, {"Content-Type": "application/json"}),
    ]:
        caller.ask("POST", "/translate/text", content=content, headers=headers)
    caller.ask("GET", f"/{W['path']}")
    caller.ask("PUT", "/translate/text", content=W["text"])
    caller.ask("GET", f"/assets/{W['path']}")
    caller.ask("GET", f"/docs/{W['path']}")


def refused_uploads(caller: Caller) -> None:
    caller.upload(data=W["content"].encode() * 100)
    caller.upload(data=SOUND[:44] + W["content"].encode())
    caller.upload(data=SOUND[:60])
    caller.upload(data=b"")
    caller.upload(data=W["content"].encode() * 30_000)
    caller.upload(response_format=W["field"])
    caller.upload(target_language=W["language"])
    caller.upload(glossary=W["glossary"])
    caller.upload(**{W["unknown"]: W["field"]})
    caller.upload(word_timestamps=W["field"])
    caller.upload("/translate/speech", target_language="pt", voice=W["voice"])
    caller.upload("/translate/speech", target_language="pt", audio_format=W["field"])
    broken = {"Content-Type": f"multipart/form-data; boundary={W['type']}"}
    caller.ask("POST", "/transcribe/audio", content=W["content"], headers=broken)


def failing_engines(caller: Caller) -> None:
    for mark in ("RAISE", "REFUSE", "CRASH", "CRASH"):
        assert caller.text(f"{mark} {W['text']}.").status_code >= 422
    assert caller.text(f"BREAK {W['text']}.").status_code == 500
    caller.text(f"SLOW {W['text']}.", headers={"X-Request-Timeout": "0.5"})
    assert caller.upload(source_language="fr").is_server_error
    for voice in ("kokoro:broken", "kokoro:pt"):
        caller.upload("/translate/speech", target_language="pt", voice=voice)


def accounts(caller: Caller) -> None:
    made = caller.ask(
        "POST", "/auth/api-key", json={"user_id": "ann", "name": W["name"], "tier": "free"}
    )
    caller.secrets.append(made.json()["api_key"])
    token = caller.ask("POST", "/auth/token").json()["access_token"]
    caller.secrets.append(token)
    bearer = {"X-API-Key": "", "Authorization": f"Bearer {token}"}
    for method, path, status in (
        ("GET", "/usage", 200),
        ("DELETE", "/auth/token", 204),
        ("GET", "/usage", 401),
    ):
        assert caller.ask(method, path, headers=bearer).status_code == status
    for body in (
        {"user_id": "ann", "tier": W["tier"]},
        {"user_id": "ann", "scopes": [W["scope"]]},
        {"user_id": "ann", W["unknown"]: W["field"]},
    ):
        caller.ask("POST", "/auth/api-key", json=body)
    caller.ask("POST", f"/auth/api-key/{W['keyid']}/rotate")
    caller.ask("DELETE", f"/auth/api-key/{W['keyid']}")
    caller.ask("GET", f"/auth/api-keys?after={W['after']}")
    caller.ask("GET", f"/admin/usage?from={W['after']}&format={W['field']}")


TERMS = {W["term"]: W["glossary"]}


async def live(server, key: str, bearer: str) -> list[str]:
    """Sessions that work, that break the protocol, and that are not let in; their tokens."""
    keyed = {**NOISE, "X-API-Key": key}
    good = {"source_language": "en", "target_languages": ["pt"], "speech": True, "glossary": TERMS}
    first_messages = (
        {**good},
        {**good, "voice": "kokoro:broken"},
        {"source_language": "fr"},
        {**good, "voice": W["voice"]},
        {**good, "glossary": {W["term"]: "\n"}},
        {**good, "target_languages": [W["language"]]},
        {**good, W["unknown"]: W["first"]},
        {"type": W["first"]},
    )
    heard, tokens = "", []
    for first in first_messages:
        async with live_session(server, headers=keyed, **first) as session:
            for piece in (LOUD, SILENCE, LOUD, SILENCE):
                if session.close_code is None:
                    await session.send(piece)
            if session.close_code is None:
                await session.end()
            await session.until_closed()
            heard += session.text
            tokens += [ready["resume_token"] for ready in session.told("ready")]
    assert SPOKEN in heard
    browser = {"Sec-WebSocket-Protocol": f"bearer.{bearer}"}
    async with live_session(server, headers=browser, **good, share=True) as session:
        await session.until(lambda found: found.told("ready"))
        told, statuses = session.told("ready")[0], []
        async with server.async_client() as client:
            for secret in (told["share_secret"], W["token"]):
                shown = {"X-Share-Secret": secret}
                path = f"/captions/{told['session_id']}"
                async with client.stream("GET", path, headers=shown) as answer:
                    statuses.append(answer.status_code)
        assert statuses == [200, 404]
        tokens.append(told["share_secret"])
        await session.end()
        await session.until_closed()
        tokens += [session.told("ready")[0]["resume_token"]]
    async with live_session(server, headers=keyed, **good) as session:
        await session.send(LOUD + SILENCE)
        await session.until(lambda found: found.told("final"))
        broken_off = session.told("ready")[0]["resume_token"]
    for token in (W["resume"], broken_off, broken_off):
        resume = {"type": "resume", "token": token, "last_seq": 1}
        async with live_session(server, headers=keyed, **resume) as session:
            await session.until(lambda found: found.told("ready"))
            tokens += [ready["resume_token"] for ready in session.told("ready")]
            if session.close_code is None:
                await session.end()
                await session.until_closed()
    assert broken_off
    for message in (W["message"], json.dumps({"type": W["message"]}), W["message"].encode() * 9):
        async with live_session(server, headers=keyed) as session:
            await session.socket.send(message)
            await session.until_closed()
        async with live_session(server, headers=keyed, **good) as session:
            await session.socket.send(message)
            await session.end()
            await session.until_closed()
    for headers in (
        {"X-API-Key": W["key"]},
        {"Sec-WebSocket-Protocol": f"bearer.{W['subprotocol']}"},
        {"Sec-WebSocket-Protocol": f"bearer.{bearer}x"},
        {"X-API-Key": key, "Origin": f"http://{W['origin']}.example"},
    ):
        with pytest.raises(InvalidStatus):
            async with live_session(server, headers=headers):
                pass
    return [token for token in (broken_off, *tokens) if token]


async def realtime(server, caller: Caller, key: str) -> list[str]:
    """OpenAI's protocol, by a key and by a client secret, and what it refuses; the secrets."""
    path = "/v1/realtime/translations"
    audio = {"output": {"language": "pt"}, "input": {"transcription": {"model": W["model"]}}}
    session = {"model": W["model"], "audio": audio}
    made = caller.ask("POST", f"{path}/client_secrets", json={"session": session})
    secret = made.json()["value"]
    for body in (
        {"session": {**session, "audio": {"output": {"language": W["language"]}}}},
        {"session": {**session, W["unknown"]: W["field"]}},
        {"session": session, "expires_after": {"anchor": W["field"]}},
    ):
        assert caller.ask("POST", f"{path}/client_secrets", json=body).status_code == 400
    heard = ""
    for address, headers in (
        (f"{path}?model={W['model']}", {**NOISE, "X-API-Key": key}),
        (path, {"Sec-WebSocket-Protocol": f"openai-insecure-api-key.{secret}"}),
    ):
        async with live_session(server, headers=headers, path=address) as client:
            for event in (
                {"type": "session.update", "session": {"audio": audio}},
                {"type": W["message"], "event_id": W["event"]},
                {"type": "session.update", "session": {W["unknown"]: W["field"]}},
                {"type": "session.update", "session": {"audio": {"output": W["language"]}}},
                {"type": "session.input_audio_buffer.append", "audio": W["content"]},
                {
                    "type": "session.input_audio_buffer.append",
                    "audio": b64encode(LOUD * 2 + SILENCE * 2).decode(),
                },
                {"type": "session.close", "event_id": W["event"]},
            ):
                await client.socket.send(json.dumps(event))
            await client.until_closed()
            assert client.close_code == 1000
            assert len(client.told("error")) == 4
            heard += "".join(
                told["delta"] for told in client.told("session.input_transcript.delta")
            )
    assert SPOKEN in heard
    for address, headers in (
        (f"{path}?model={W['model']}%20x", {"X-API-Key": key}),
        (f"{path}?model={W['field']}", {"Authorization": f"Bearer {secret}"}),
        (path, {"Sec-WebSocket-Protocol": f"openai-insecure-api-key.ek_{W['secret']}"}),
    ):
        with pytest.raises(InvalidStatus):
            async with live_session(server, headers=headers, path=address):
                pass
    return [secret]


async def test_nothing_that_users_send_is_told(service):
    server, data, admin = service
    with server.client() as client:
        caller = Caller(client, admin)
        keys = {}
        for name, fields in {
            "narrow": {"tier": "pro", "scopes": ["speech"]},
            "small": {"tier": "free"},
        }.items():
            body = {"user_id": name, **fields}
            keys[name] = caller.ask("POST", "/auth/api-key", json=body).json()["api_key"]
        caller.secrets += keys.values()
        every_route(caller)
        good_requests(caller)
        libre_translate(caller)
        refused_requests(caller, keys["narrow"], keys["small"])
        refused_uploads(caller)
        failing_engines(caller)
        accounts(caller)
        token = caller.ask("POST", "/auth/token").json()["access_token"]
        caller.secrets += [token, *await live(server, admin, token)]
        caller.secrets += await realtime(server, caller, admin)
        figures = caller.ask("GET", "/metrics").text
        figures += caller.ask("GET", "/metrics", headers={"Accept": "application/json"}).text
    server.stop()

    told = server.log()
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    reached = {200, 201, 400, 401, 403, 404, 405, 413, 415, 421, 422, 429, 500, 502, 504}
    assert reached <= set(caller.statuses), sorted(reached - set(caller.statuses))
    assert len([line for line in lines if line["event"] == "request"]) >= caller.calls
    assert {line["status"] for line in lines if line["event"] == "socket"} >= {101, 401, 403}
    for line in lines:
        if line["event"] in {"request", "socket"}:
            assert {"request_id", "owner", "key_id", "route", "status", "duration_ms"} <= set(line)
            assert {"bytes_in", "bytes_out"} <= set(line)

    with sqlite3.connect(data / "speech-translator.db") as database:
        audit = repr(database.execute("select * from audit").fetchall())
    database.close()
    parts = [one.split("_")[-2] for one in caller.secrets if one.startswith("st_live_")]
    secrets = [*caller.secrets, *parts]
    for where, content in {"output": told, "metrics": figures, "audit log": audit}.items():
        found = [word for word in (*W.values(), SPOKEN, *secrets) if word in content]
        assert not found, (where, found, context(content, found))
    kept = all_files(data)
    unkept = {*W.values(), SPOKEN, *secrets} - {W["name"]}  # by which its owner knows a key
    assert not [word for word in unkept if word.encode() in kept]


def all_files(directory: Path) -> bytes:
    """What the service keeps, whatever it is."""
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def context(content: str, words: list[str]) -> list[str]:
    """What stands around the words, for whoever has to mend it."""
    return [content[max(0, (at := content.find(word)) - 300) : at + 100] for word in words]
