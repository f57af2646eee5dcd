"""The client behind a proxy: in limits, in the audit log and in headers; never a local operator."""

import json
import sqlite3

import pytest

from tests.support.api import running

PROXY = {"trusted_proxies": ("127.0.0.1/32",)}  # what the tests' client comes from
LOCAL = {"host": "localhost:8000"}
TEXT = {"text": "Hello.", "source_language": "en", "target_language": "pt"}


async def left(harness, client):
    headers = {"X-Forwarded-For": client}
    answer = await harness.client.post("/translate/text", json=TEXT, headers=headers)
    return int(answer.headers["x-ratelimit-remaining"])


async def test_each_client_behind_a_trusted_proxy_has_its_own_allowance():
    async with running(anonymous_tier="free", **PROXY) as harness:
        assert await left(harness, "203.0.113.5") == 9
        assert await left(harness, "6.6.6.6, 203.0.113.5") == 8
        assert await left(harness, "203.0.113.6") == 9


async def test_without_one_nobody_gets_more_by_claiming_to_be_many():
    async with running(anonymous_tier="free") as harness:
        assert [await left(harness, f"203.0.113.{n}") for n in range(3)] == [9, 8, 7]


async def test_tls_is_asked_for_where_a_trusted_proxy_took_the_request_by_it():
    tls = {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "https"}
    name = "strict-transport-security"
    async with running(**PROXY) as harness:
        assert (await harness.client.get("/health", headers=tls)).headers[
            name
        ] == "max-age=31536000"
        assert name not in (await harness.client.get("/health")).headers
    async with running() as harness:
        assert name not in (await harness.client.get("/health", headers=tls)).headers


async def test_the_audit_log_names_the_client(tmp_path):
    async with running(data_dir=tmp_path) as harness:
        made = await harness.client.post(
            "/auth/api-key", content=json.dumps({"user_id": "ann"}), headers=LOCAL
        )
    key = made.json()["api_key"]
    async with running(data_dir=tmp_path, **PROXY) as harness:
        closed = await harness.client.delete(
            f"/auth/api-key/{made.json()['key_id']}",
            headers={"X-API-Key": key, "X-Forwarded-For": "6.6.6.6, 203.0.113.5"},
        )
        assert closed.is_success
    with sqlite3.connect(tmp_path / "speech-translator.db") as database:
        rows = database.execute("select address from audit order by id").fetchall()
    database.close()
    assert [row[0] for row in rows] == ["127.0.0.1", "203.0.113.5"]


@pytest.mark.parametrize(
    "headers", [{}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=::1"}]
)
async def test_nothing_that_a_proxy_passes_on_is_a_local_operators(headers):
    async with running(anonymous_tier=None, **PROXY) as harness:
        body = json.dumps({"user_id": "ann"})
        answer = await harness.client.post(
            "/auth/api-key", content=body, headers={**LOCAL, **headers}
        )
        assert answer.status_code == 401
        page = {**LOCAL, **headers, "Origin": "http://localhost:8000"}
        assert (await harness.client.post("/auth/token", headers=page)).status_code == 401
