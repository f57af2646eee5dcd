"""Log lines: who, what, how long and how much; never what was said."""

import asyncio
import json

import pytest

from speech_translator.api.middleware.exchange import SocketExchange
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}
TEXT = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
FIELDS = {
    "request_id",
    "owner",
    "key_id",
    "route",
    "status",
    "duration_ms",
    "bytes_in",
    "bytes_out",
}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


def requests(harness):
    return [line for line in harness.lines() if line["event"] == "request"]


async def make(harness, **fields):
    body = json.dumps({"user_id": "ann", **fields})
    return (await harness.client.post("/auth/api-key", content=body, headers=LOCAL)).json()


async def test_a_line_says_whose_request_it_was_and_how_large(api):
    key = await make(api)
    answer = await api.client.post(
        "/translate/text", json=TEXT, headers={"X-API-Key": key["api_key"]}
    )
    line = requests(api)[-1]
    assert set(line) >= FIELDS
    assert (line["owner"], line["key_id"]) == ("ann", key["key_id"])
    assert line["bytes_in"] == len(answer.request.content)
    assert line["bytes_out"] == len(answer.content)
    assert line["request_id"] == answer.headers["x-request-id"]


async def test_who_lacks_a_scope_is_named_and_who_is_nobody_is_not(api):
    key = await make(api, scopes=["speech"])
    await api.client.post("/translate/text", json=TEXT, headers={"X-API-Key": key["api_key"]})
    await api.client.post("/translate/text", json=TEXT, headers={"X-API-Key": "st_live_x_y_z"})
    await api.client.get("/languages")
    forbidden, unknown, free = requests(api)[-3:]
    assert (forbidden["status"], forbidden["owner"]) == (403, "ann")
    assert (unknown["status"], unknown["owner"], unknown["key_id"]) == (401, "anonymous", "")
    assert (free["status"], free["owner"], free["bytes_in"]) == (200, "anonymous", 0)


async def test_what_is_not_read_is_not_counted(api):
    await api.client.post("/translate/text", json=TEXT)
    assert requests(api)[-1]["bytes_in"] == 0


async def test_a_refused_handshake_has_a_line(tmp_path):
    async with running(data_dir=tmp_path, anonymous_tier=None) as harness:
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "websocket.connect"}

        scope = {
            "type": "websocket", "path": "/translate/stream", "raw_path": b"/translate/stream",
            "query_string": b"", "headers": [(b"host", b"localhost")], "subprotocols": [],
            "scheme": "ws", "client": ("192.0.2.1", 1), "server": ("localhost", 80),
            "http_version": "1.1", "root_path": "",
            "extensions": {"websocket.http.response": {}}, "state": {},
        }  # fmt: skip
        await harness.app(scope, receive, send)
        line = [line for line in harness.lines() if line["event"] == "socket"][-1]
    assert sent[0]["status"] == 401
    assert (line["event"], line["status"], line["close_code"]) == ("socket", 401, None)
    assert line["error"] == "unauthenticated"
    assert set(line) >= FIELDS
    assert line["route"] == "/translate/stream"


async def exchanged(*sent, received=()):
    async def take():
        await asyncio.sleep(0)
        return next(arriving)

    async def give(_message):
        await asyncio.sleep(0)

    arriving = iter(received)
    exchange = SocketExchange(take, give, {"request_id": "abc"})
    for message in sent:
        await exchange.send(message)
    for _ in received:
        await exchange.receive()
    return exchange


ACCEPT = {"type": "websocket.accept"}


async def test_a_sockets_line_says_how_it_ended_and_how_much_passed():
    closed = await exchanged(
        ACCEPT,
        {"type": "websocket.send", "text": "four"},
        {"type": "websocket.close", "code": 1008},
    )
    assert (closed.status, closed.close_code, closed.bytes_out) == (101, 1008, 4)
    left = await exchanged(
        ACCEPT,
        received=[
            {"type": "websocket.receive", "bytes": b"12345", "text": None},
            {"type": "websocket.disconnect", "code": 1001},
        ],
    )
    assert (left.status, left.close_code, left.bytes_in) == (101, 1001, 5)
    refused = await exchanged({"type": "websocket.close", "code": 1008})
    assert (refused.status, refused.close_code) == (403, None)


async def test_an_error_is_named_and_counted_by_its_code(api):
    key = {"X-API-Key": (await make(api))["api_key"]}
    asked = api.client.post
    await asked("/translate/text", json={**TEXT, "text": ""}, headers=key)
    await asked("/translate/text", json=TEXT)
    await asked("/translate", json={"q": "Hello.", "source": "en", "target": "xx"}, headers=key)
    await api.client.get("/nowhere")
    await api.client.get("/languages", headers={"host": "elsewhere.example"})
    await asked("/translate/text", json=TEXT, headers=key)
    codes = [line["error"] for line in requests(api)[-6:]]
    assert codes == [
        "empty_text", "unauthenticated", "unknown_language", "not_found", "untrusted_host", None
    ]  # fmt: skip
    await asked("/v1/realtime/translations/client_secrets", json={}, headers=key)
    assert requests(api)[-1]["error"] == "invalid_field"
    api.app.state.api.drain()
    await asked("/translate/text", json=TEXT, headers=key)
    assert requests(api)[-1]["error"] == "draining"
    figures = (await api.client.get("/metrics")).text
    for code in (*codes[:5], "draining"):
        assert f'speech_translator_errors_total{{code="{code}"}} 1.0' in figures
    assert "speech_translator_draining 1.0" in figures
    assert "speech_translator_decoders_lost_total 0.0" in figures
