"""OpenAI's realtime translation over the whole application: who gets in, and by what."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import numpy as np
import pytest

from speech_translator.api.realtime import stream
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import TierName
from tests.support.api import running
from tests.support.asgi_socket import Socket, connected
from tests.unit.test_api_tokens import actor, make

PATH = "/v1/realtime/translations"
OPEN = f"{PATH}?model=any-model"
SECRETS = f"{PATH}/client_secrets"
LANGUAGE = "session.audio.output.language"
SESSION = {"model": "any-model", "audio": {"output": {"language": "pt"}}}
SPEECH = base64.b64encode(np.full(24_000, 8000, "<i2").tobytes() + bytes(48_000)).decode()
APPEND = json.dumps({"type": "session.input_audio_buffer.append", "audio": SPEECH})
CLOSE = json.dumps({"type": "session.close"})


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def key_of(api, **fields: Any) -> str:
    return str((await make(api, **fields))["api_key"])


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


async def secret(api, key: str, **body: Any):
    sent = {"session": SESSION, **body}
    return await api.client.post(SECRETS, json=sent, headers=bearer(key))


async def heard(socket: Socket) -> str:
    """A session from its first event to its last: what was translated."""
    socket.say(APPEND, CLOSE)
    await socket.until(lambda found: found.close_code is not None)
    assert [socket.events[0]["type"], socket.events[-1]["type"]] == [
        "session.created",
        "session.closed",
    ]
    assert (socket.close_code, socket.close_reason) == (1000, "end")
    return "".join(found["delta"] for found in socket.told("session.output_transcript.delta"))


async def test_a_key_opens_a_session_and_the_sound_is_counted(api):
    key = await key_of(api)
    async with connected(api.app, OPEN, headers=bearer(key)) as socket:
        assert (socket.status, socket.subprotocol) == (101, None)
        assert await heard(socket) == "Hello there."
    created = socket.events[0]["session"]
    assert (created["model"], created["audio"]["output"]["language"]) == ("any-model", "en")
    assert created["expires_at"] == pytest.approx(time.time() + 4 * 3600, abs=60)
    usage = await api.client.get("/usage", headers=bearer(key))
    assert usage.json()["month"]["audio_seconds"] == pytest.approx(2.0)
    (line,) = [line for line in api.lines() if line["event"] == "live_session"]
    assert (line["outcome"], line["finals"]) == ("end", 1)
    assert key not in api.log.getvalue()


async def test_a_client_secret_opens_the_session_that_it_was_made_for(api):
    made = (await secret(api, await key_of(api))).json()
    assert made["value"].startswith("ek_")
    assert made["expires_at"] == pytest.approx(time.time() + 600, abs=60)
    assert made["session"]["audio"]["output"] == {"language": "pt"}
    assert made["session"]["model"] == "any-model"
    for address in (PATH, OPEN):  # it may open several
        async with connected(api.app, address, headers=bearer(made["value"])) as socket:
            assert await heard(socket) == "pt:Hello there."
    assert made["value"] not in api.log.getvalue()


async def test_a_browser_offers_it_as_a_subprotocol(api):
    made = (await secret(api, await key_of(api))).json()
    offered = ["realtime", f"openai-insecure-api-key.{made['value']}", "openai-beta.realtime-v1"]
    async with connected(api.app, PATH, subprotocols=offered) as socket:
        assert (socket.status, socket.subprotocol) == (101, "realtime")
        assert await heard(socket) == "pt:Hello there."


def refusal(socket: Socket) -> tuple[int, str, str | None]:
    """Status, code and parameter of a handshake that is refused."""
    error = json.loads(socket.body)["error"]
    assert error.keys() == {"message", "type", "code", "param"}
    assert socket.headers["content-type"] == "application/json"
    return socket.status, error["code"], error["param"]


async def test_who_is_not_let_in_is_told_in_openais_words_before_the_socket_opens(api):
    narrow = await key_of(api, scopes=["translate"])
    made = (await secret(api, await key_of(api))).json()["value"]
    for address, headers, expected in (
        (OPEN, {}, (401, "unauthenticated", None)),
        (OPEN, bearer("ek_nonsense"), (401, "unauthenticated", None)),
        (OPEN, bearer(made[:-4] + "AAAA"), (401, "unauthenticated", None)),
        (OPEN, bearer(made.removeprefix("ek_")), (401, "unauthenticated", None)),
        (OPEN, bearer(narrow), (403, "forbidden", None)),
        (PATH, bearer(await key_of(api)), (400, "invalid_field", "model")),
        (f"{PATH}?model=", bearer(await key_of(api)), (400, "invalid_field", "model")),
        (f"{PATH}?model=a%20b", bearer(await key_of(api)), (400, "invalid_field", "model")),
        (f"{PATH}?model=other", bearer(made), (400, "invalid_field", "model")),
    ):
        async with connected(api.app, address, headers=headers) as socket:
            assert refusal(socket) == expected, (address, headers)
            assert "www-authenticate" in socket.headers or socket.status != 401


async def test_another_sites_page_opens_none(api):
    headers = {**bearer(await key_of(api)), "Origin": "https://evil.example"}
    async with connected(api.app, OPEN, headers=headers) as socket:
        assert socket.status == 403
    headers["Origin"] = "http://localhost:8000"
    async with connected(api.app, OPEN, headers=headers) as socket:
        assert socket.status == 101


async def test_sessions_of_both_protocols_share_their_limit(api):
    key = await key_of(api, tier="free")
    async with connected(api.app, OPEN, headers=bearer(key)) as first:
        assert first.status == 101
        async with connected(api.app, OPEN, headers=bearer(key)) as second:
            assert refusal(second)[:2] == (429, "limit_exceeded")
        async with connected(api.app, "/translate/stream", headers=bearer(key)) as third:
            assert third.status == 429
    async with connected(api.app, OPEN, headers=bearer(key)) as again:
        assert again.status == 101


async def test_a_service_that_stops_begins_none(api):
    key = await key_of(api)
    api.app.state.api.drain()
    async with connected(api.app, OPEN, headers=bearer(key)) as socket:
        assert refusal(socket)[:2] == (503, "draining")
        assert int(socket.headers["retry-after"]) > 0


async def test_a_session_ends_with_its_key_and_with_a_secret_that_is_closed(api, monkeypatch):
    monkeypatch.setattr(stream, "CHECK_S", 0.0)
    made = await make(api)
    key = made["api_key"]
    value = (await secret(api, key)).json()["value"]
    async with connected(api.app, PATH, headers=bearer(value)) as socket:
        closed = await api.client.delete("/auth/token", headers=bearer(value))
        assert closed.status_code == 204
        await socket.until(lambda found: found.close_code is not None)
    assert (socket.close_code, socket.close_reason) == (1008, "unauthenticated")
    async with connected(api.app, PATH, headers=bearer(value)) as socket:
        assert socket.status == 401
    async with connected(api.app, OPEN, headers=bearer(key)) as socket:
        await api.client.delete(f"/auth/api-key/{made['key_id']}", headers=bearer(key))
        await socket.until(lambda found: found.close_code is not None)
    assert (socket.close_code, socket.close_reason) == (1008, "unauthenticated")


async def test_closing_a_secret_is_in_the_audit_log_as_that_of_any_token(api):
    made = await make(api)
    value = (await secret(api, made["api_key"])).json()["value"]
    await api.client.delete("/auth/token", headers=bearer(value))
    accounts = await api.app.state.api.accounts.get()
    found = await accounts.audit.page(subject=f"key:{made['key_id']}")
    assert "token.revoke" in {entry.action for entry in found}


async def test_a_client_secret_opens_live_sessions_alone(api):
    value = (await secret(api, await key_of(api))).json()["value"]
    for method, path in (
        ("GET", "/usage"),
        ("GET", "/auth/api-keys"),
        ("POST", "/auth/token"),
        ("POST", SECRETS),
        ("POST", "/translate/text"),
        ("GET", "/admin/audit"),
    ):
        answer = await api.client.request(method, path, headers=bearer(value))
        assert answer.status_code == 403, path


async def test_a_secret_needs_a_key_that_opens_live_sessions(api):
    key = await key_of(api)
    token = (await api.client.post("/auth/token", headers=bearer(key))).json()["access_token"]
    narrow = await key_of(api, scopes=["translate"])
    for credential, status, code in (
        (token, 403, "forbidden"),
        (narrow, 403, "forbidden"),
        ("nonsense", 401, "unauthenticated"),
    ):
        answer = await secret(api, credential)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    accounts = await api.app.state.api.accounts.get()
    only = {Scope.ADMIN}
    admin, _ = await accounts.create_key("root", TierName.ADMIN, actor(), scopes=only)
    answer = await secret(api, admin)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    answer = await api.client.post(SECRETS, json={"session": SESSION})
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    ("seconds", "status"), [(9, 400), (10, 200), (7200, 200), (7201, 400), ("10", 400)]
)
async def test_how_long_a_secret_lives(api, seconds, status):
    expires = {"anchor": "created_at", "seconds": seconds}
    answer = await secret(api, await key_of(api), expires_after=expires)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["cache-control"] == "no-store"
        left = answer.json()["expires_at"] - time.time()
        assert left == pytest.approx(seconds, abs=60)
    else:
        assert answer.json()["error"]["param"] == "expires_after.seconds"


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({}, "session.model"),
        ({"model": ""}, "session.model"),
        ({"model": "m" * 129}, "session.model"),
        ({**SESSION, "voice": "xyzzy"}, "session"),
        (
            {"model": "m", "audio": {"output": {"language": "xyzzy"}}},
            LANGUAGE,
        ),
        ({"model": "m", "audio": {"output": {"language": "ja"}}}, LANGUAGE),
        (
            {"model": "m", "audio": {"input": {"noise_reduction": {"type": "loud"}}}},
            "session.audio.input.noise_reduction.type",
        ),
    ],
)
async def test_a_session_that_cannot_be_had_gets_no_secret(api, session, param):
    answer = await secret(api, await key_of(api), session=session)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert error["type"] == "invalid_request_error"
    assert "xyzzy" not in answer.text


async def test_the_answer_shows_what_is_not_in_the_session(api):
    sound = {"input": {"noise_reduction": {"type": "far_field"}, "transcription": {"model": "w"}}}
    answer = await secret(api, await key_of(api), session={"model": "m", "audio": sound})
    assert answer.json()["session"]["audio"] == {
        "input": {"noise_reduction": None, "transcription": {"model": "w"}},
        "output": {"language": "en"},
    }


async def test_without_a_key_where_that_is_allowed(tmp_path):
    async with (
        running(data_dir=tmp_path / "data", anonymous_tier="pro") as api,
        connected(api.app, OPEN) as socket,
    ):
        assert await heard(socket) == "Hello there."
