"""Keys over the API: made at this machine in development, checked wherever they are given."""

import json
import sqlite3
import stat

import httpx
import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.api_keys import generate, parse
from tests.support.api import administrators_key, running

ASKED = {"user_id": "test", "tier": "pro"}
LOCAL = {"host": "localhost:8000"}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data") as harness:
        yield harness


async def make(harness, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await harness.client.post(
        "/auth/api-key",
        content=json.dumps(ASKED if body is None else body),
        headers={**LOCAL, "content-type": "application/x-www-form-urlencoded", **named},
    )


async def translate(harness, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    return await harness.client.post("/translate/text", json=body, headers=named)


async def test_a_key_is_made_and_used(api, tmp_path):
    answer = await make(api)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    key = parse(body["api_key"])
    assert key is not None
    assert (body["key_id"], body["user_id"], body["tier"]) == (key.id, "test", "pro")
    assert body["scopes"] == ["speech", "stream", "transcribe", "translate"]
    assert body["expires_at"] - body["created_at"] == 30 * 24 * 3600
    for header in ({"X_API_Key": body["api_key"]}, {"Authorization": f"Bearer {body['api_key']}"}):
        assert (await translate(api, **header)).status_code == 200
    kept = (tmp_path / "data" / "speech-translator.db").read_bytes()
    assert key.secret.encode() not in kept
    assert key.secret not in api.log.getvalue()
    (line,) = [line for line in api.lines() if line["event"] == "a key was made without a key"]
    assert line["key_id"] == key.id
    assert stat.S_IMODE((tmp_path / "data" / "pepper").stat().st_mode) == 0o600


async def test_a_key_outlives_a_restart(tmp_path):
    async with running(data_dir=tmp_path) as harness:
        key = (await make(harness)).json()["api_key"]
    async with running(data_dir=tmp_path) as harness:
        assert (await translate(harness, X_API_Key=key)).status_code == 200


@pytest.mark.parametrize(
    "key", ["", "nonsense", generate().text], ids=["none", "nonsense", "unknown"]
)
async def test_a_key_that_is_not_valid_is_refused_wherever_it_is_given(api, key):
    files = {"file": ("a.wav", b"RIFF....WAVE")}
    for answer in (
        await translate(api, X_API_Key=key),
        await translate(api, Authorization=f"Bearer {key}"),
        await api.client.post("/transcribe/audio", files=files, headers={"X-API-Key": key}),
        await make(api, X_API_Key=key),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert api.decoders.seen == []


async def test_owners_see_and_close_their_own_keys_only(api):
    mine, other, theirs = [
        (await make(api, {"user_id": owner})).json() for owner in ("ann", "ann", "eve")
    ]
    headers = {"X-API-Key": mine["api_key"]}
    listed = await api.client.get("/auth/api-keys", headers=headers)
    assert listed.status_code == 200
    ids = [key["key_id"] for key in listed.json()["keys"]]
    assert sorted(ids) == sorted([mine["key_id"], other["key_id"]])
    assert "digest" not in listed.text
    page = {"after": listed.json()["next"]}
    rest = await api.client.get("/auth/api-keys", params=page, headers=headers)
    assert rest.json() == {"keys": [], "next": None}

    for key_id in (theirs["key_id"], "unknown", "%00", "a" * 200):
        answer = await api.client.delete(f"/auth/api-key/{key_id}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        answer = await api.client.get(f"/auth/api-keys?after={key_id}", headers=headers)
        assert answer.status_code == 404
    assert (await translate(api, X_API_Key=theirs["api_key"])).status_code == 200

    assert (await translate(api, X_API_Key=other["api_key"])).status_code == 200
    path = f"/auth/api-key/{other['key_id']}"
    assert (await api.client.delete(path)).status_code == 401
    assert (await api.client.delete(path, headers=headers)).status_code == 204
    assert (await translate(api, X_API_Key=other["api_key"])).status_code == 401
    assert (await api.client.delete(path, headers=headers)).status_code == 404
    assert (await api.client.get("/auth/api-keys")).status_code == 401


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("translate", "/translate/text"),
        ("transcribe", "/transcribe/audio"),
        ("speech", "/translate/speech"),
    ],
)
async def test_a_key_opens_only_what_its_scopes_name(api, scope, path):
    others = sorted({"translate", "transcribe", "speech", "stream"} - {scope})
    key = (await make(api, {**ASKED, "scopes": others})).json()["api_key"]
    body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    form = {"files": {"file": ("a.wav", b"RIFF....WAVE")}}
    sent = {"json": body} if scope == "translate" else form
    answer = await api.client.post(path, headers={"X-API-Key": key}, **sent)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["scope"] == scope
    assert api.decoders.seen == []


async def test_a_key_without_its_scope_opens_no_live_socket(api):
    asked = {**ASKED, "scopes": ["translate", "transcribe", "speech"]}
    key = (await make(api, asked)).json()["api_key"]
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket", "path": "/translate/stream", "raw_path": b"/translate/stream",
        "query_string": b"", "headers": [(b"host", b"localhost"), (b"x-api-key", key.encode())],
        "subprotocols": [], "scheme": "ws", "client": ("192.0.2.1", 1),
        "server": ("localhost", 80), "http_version": "1.1", "root_path": "",
        "extensions": {"websocket.http.response": {}}, "state": {},
    }  # fmt: skip
    await api.app(scope, receive, send)
    assert sent[0]["status"] == 403
    assert json.loads(sent[1]["body"])["scope"] == "stream"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "http://localhost:8000"},
        {"sec_fetch_site": "none"},
        {"x_forwarded_for": "127.0.0.1"},
        {"x_forwarded_host": "localhost:8000"},
        {"forwarded": "for=127.0.0.1;host=localhost"},
        {"via": "1.1 proxy"},
        {"x_real_ip": "127.0.0.1"},
        {"host": "localhost.evil.example:8000"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "evil.example", "origin": "http://evil.example", "sec_fetch_site": "same-origin"},
        {"origin": "null", "sec_fetch_mode": "no-cors", "content_type": "text/plain"},
        {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"},
    ],
)
async def test_no_page_and_no_proxy_gets_a_key(api, headers, tmp_path):
    answer = await make(api, **{"content_type": "application/json", **headers})
    assert answer.status_code in {401, 403, 421}
    assert not list((tmp_path / "data").glob("*.db"))


async def test_a_name_that_is_trusted_leads_to_no_key(tmp_path):
    """It may lead here by DNS from anywhere: only names of loopback are local."""
    async with running(data_dir=tmp_path / "data", trusted_hosts=("app.example",)) as harness:
        answer = await make(harness, host="app.example")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert not (tmp_path / "data" / "pepper").exists()


async def test_another_machine_gets_no_key(tmp_path):
    async with running(data_dir=tmp_path / "data") as harness:
        for peer in ("192.0.2.7", "172.17.0.1", "::2"):
            transport = httpx.ASGITransport(app=harness.app, client=(peer, 5))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost:8000"
            ) as other:
                for path in (
                    "/auth/api-key",
                    "/auth/token",
                    "/admin/cache/clear",
                    "/admin/circuit-breaker/reset",
                ):
                    answer = await other.post(path, json=ASKED)
                    assert answer.status_code == 401


@pytest.mark.parametrize("tier", ["admin", "ADMIN", " admin", "admin\u0000", "root"])
async def test_no_spelling_of_admin_is_made_without_a_key(api, tier):
    answer = await make(api, {"user_id": "x", "tier": tier, "scopes": ["translate"]})
    assert answer.status_code in {403, 422}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**ASKED, "tier": "admin"}, 403, "forbidden"),
        ({**ASKED, "scopes": ["admin"]}, 403, "forbidden"),
        ({**ASKED, "scopes": ["root"]}, 422, "invalid_field"),
        ({**ASKED, "tier": "gold"}, 422, "invalid_field"),
        ({**ASKED, "user_id": ""}, 422, "invalid_field"),
        ({**ASKED, "user_id": "ann\n"}, 422, "invalid_field"),
        ({**ASKED, "user_id": "anonymous"}, 422, "invalid_field"),
        ({**ASKED, "user_id": "page"}, 422, "invalid_field"),
        ({**ASKED, "user_id": "erased:1"}, 422, "invalid_field"),
        ({"tier": "pro"}, 422, "invalid_field"),
        ({**ASKED, "expires_in_days": 0}, 422, "invalid_field"),
        ({**ASKED, "admin": True}, 422, "invalid_field"),
    ],
)
async def test_what_cannot_be_had_is_refused(api, body, status, code):
    answer = await make(api, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_keys_without_a_key_end_soon_and_are_limited(api):
    body = (await make(api, {**ASKED, "expires_in_days": 3650})).json()
    assert body["expires_at"] - body["created_at"] == 30 * 24 * 3600
    answers = [await make(api) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [201] * 9 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_key_that_is_no_administrators_makes_none(api):
    key = (await make(api)).json()["api_key"]
    answer = await make(api, X_API_Key=key)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_every_key_is_in_the_audit_log(api, tmp_path):
    made = (await make(api)).json()
    with sqlite3.connect(tmp_path / "data" / "speech-translator.db") as database:
        rows = database.execute("SELECT actor, action, subject, outcome FROM audit").fetchall()
    database.close()
    assert rows == [("anonymous", "key.bootstrap", f"key:{made['key_id']}", "done")]


async def test_production_makes_no_key_without_one_and_needs_its_secret(tmp_path):
    options = {"environment": "production", "data_dir": tmp_path}
    await administrators_key(**options, secret_pepper="x" * 32)
    async with running(**options, secret_pepper="x" * 32) as harness:
        answer = await make(harness)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    with pytest.raises(ConfigurationError, match="SECRET_PEPPER"):
        async with running(**options):
            pass
    assert not (tmp_path / "pepper").exists()


async def test_keys_outlive_a_change_of_the_secret_once_they_are_rotated(tmp_path):
    """As docs/SECURITY.md tells to do it."""
    old, new = "o" * 32, "n" * 32
    async with running(data_dir=tmp_path, secret_pepper=old) as harness:
        made = (await make(harness)).json()
    key = {"X-API-Key": made["api_key"]}
    async with running(data_dir=tmp_path, secret_pepper=new, old_secret_pepper=old) as harness:
        assert (await translate(harness, **key)).status_code == 200
        token = (await harness.client.post("/auth/token", headers=key)).json()["access_token"]
        bearer = f"Bearer {token}"
        assert (await translate(harness, Authorization=bearer)).status_code == 200
        path = f"/auth/api-key/{made['key_id']}/rotate"
        rotated = (await harness.client.post(path, headers=key)).json()["api_key"]
    async with running(data_dir=tmp_path, secret_pepper=new) as harness:
        assert (await translate(harness, X_API_Key=rotated)).status_code == 200
        assert (await translate(harness, **key)).status_code == 401


async def test_without_keys_nothing_is_kept(api, tmp_path):
    assert (await translate(api)).status_code == 200
    assert not list((tmp_path / "data").glob("*.db"))
