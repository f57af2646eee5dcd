"""What operators do: with an administrator's key, or in development at the machine itself."""

from __future__ import annotations

import json

import pytest

from speech_translator.reliability import BreakerConfig
from tests.support.api import administrators_key, lose_database, running

LOCAL = {"host": "localhost:8000"}
CLEAR, RESET = "/admin/cache/clear", "/admin/circuit-breaker/reset"


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def administrator(harness):
    settings = harness.app.state.api.settings
    key = await administrators_key(data_dir=settings.data_dir)
    return {"X-API-Key": key}


async def customer(harness):
    body = json.dumps({"user_id": "eve", "tier": "enterprise"})
    made = await harness.client.post("/auth/api-key", content=body, headers=LOCAL)
    return {"X-API-Key": made.json()["api_key"]}


async def translate(harness, headers):
    body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    return (await harness.client.post("/translate/text", json=body, headers=headers)).json()


async def acts(harness, admin):
    entries = (await harness.client.get("/admin/audit", headers=admin)).json()["entries"]
    return [
        (entry["actor"], entry["action"], entry["subject"])
        for entry in reversed(entries)
        if not entry["action"].startswith("key.")
    ]


def trip(harness, *names):
    breakers = harness.app.state.api.services.breakers
    for name in names:
        breakers.get(name, BreakerConfig()).trip_sync()
    return breakers


async def test_a_cache_that_was_cleared_knows_nothing(api):
    admin, eve = await administrator(api), await customer(api)
    assert not (await translate(api, eve))["cached"]
    assert (await translate(api, eve))["cached"]
    answer = await api.client.post(CLEAR, headers=admin)
    assert (answer.status_code, answer.json()) == (200, {"cleared": 1})
    assert answer.headers["cache-control"] == "no-store"
    assert not (await translate(api, eve))["cached"]
    assert await acts(api, admin) == [("root", "cache.clear", "cache")]


async def test_breakers_are_shown_and_closed_one_by_one_or_all(api):
    admin = await administrator(api)
    breakers = trip(api, "engine:bergamot", "redis")
    breakers.get("database")
    answer = await api.client.get("/admin/circuit-breakers", headers=admin)
    shown = {one["name"]: one for one in answer.json()["breakers"]}
    assert {name: one["state"] for name, one in shown.items()} == {
        "engine:bergamot": "open",
        "redis": "open",
        "database": "closed",
    }
    assert shown["redis"]["opens_total"] == 1
    assert shown["redis"]["retry_after_s"] > 0
    answer = await api.client.post(RESET, json={"name": "redis"}, headers=admin)
    assert (answer.status_code, answer.json()) == (200, {"reset": ["redis"]})
    assert breakers.get("redis").snapshot().state == "closed"
    assert breakers.get("engine:bergamot").snapshot().state == "open"
    answer = await api.client.post(RESET, headers=admin)
    assert set(answer.json()["reset"]) == set(shown)
    assert breakers.get("engine:bergamot").snapshot().state == "closed"
    assert await acts(api, admin) == [
        ("root", "breaker.reset", "breaker:redis"),
        ("root", "breaker.reset", "breaker:*"),
    ]


async def test_a_breaker_that_is_none_is_not_closed(api):
    admin = await administrator(api)
    trip(api, "redis")
    answer = await api.client.post(RESET, json={"name": "postgres"}, headers=admin)
    assert (answer.status_code, answer.json()["breakers"]) == (404, ["database", "redis"])
    for body in ({"name": ""}, {"name": 5}, {"names": ["redis"]}):
        answer = await api.client.post(RESET, json=body, headers=admin)
        assert answer.status_code == 422
    assert await acts(api, admin) == []


@pytest.mark.parametrize("path", [CLEAR, RESET])
async def test_the_bare_command_works_at_this_machine_in_development(api, path):
    breakers = trip(api, "redis")
    answer = await api.client.post(path, headers=LOCAL)
    assert answer.status_code == 200
    assert (breakers.get("redis").snapshot().state == "closed") == (path == RESET)
    admin = await administrator(api)
    assert [actor for actor, *_ in await acts(api, admin)] == ["anonymous"]
    warned = [line for line in api.lines() if line["event"] == "operated"]
    assert [line["keyless"] for line in warned] == [True]


@pytest.mark.parametrize("path", [CLEAR, RESET])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "app.example"},
        {"origin": "http://localhost:8000"},
        {"sec-fetch-site": "none"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-api-key": "st_live_none"},
    ],
)
async def test_no_page_no_proxy_and_no_wrong_key_operates(api, path, headers):
    breakers = trip(api, "redis")
    answer = await api.client.post(path, headers={**LOCAL, **headers})
    assert answer.status_code in {401, 403, 421}
    assert breakers.get("redis").snapshot().state == "open"


@pytest.mark.parametrize("path", [CLEAR, RESET])
async def test_nobody_operates_often_without_a_key(api, path):
    statuses = [(await api.client.post(path, headers=LOCAL)).status_code for _ in range(11)]
    assert statuses == [*[200] * 10, 429]


@pytest.mark.parametrize("path", [CLEAR, RESET])
async def test_production_asks_for_a_key(path, tmp_path):
    options = {"environment": "production", "secret_pepper": "x" * 32, "data_dir": tmp_path}
    root = await administrators_key(**options)
    async with running(**options) as harness:
        assert (await harness.client.post(path, headers=LOCAL)).status_code == 401
        answer = await harness.client.post(path, headers={"X-API-Key": root})
        assert answer.status_code == 200


@pytest.mark.parametrize("path", [CLEAR, RESET])
async def test_what_cannot_be_written_down_is_not_done(api, path):
    admin = await administrator(api)
    breakers = trip(api, "redis")
    assert (await api.client.get("/admin/circuit-breakers", headers=admin)).status_code == 200
    lose_database(api.app.state.api)
    answer = await api.client.post(path, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert breakers.get("redis").snapshot().state == "open"


async def test_changes_of_breakers_are_counted_and_logged(api):
    trip(api, "redis")
    await api.client.post(RESET, headers=LOCAL)
    figures = (await api.client.get("/metrics")).text
    for line in (
        'speech_translator_breaker_changes_total{breaker="redis",state="open"} 1.0',
        'speech_translator_breaker_changes_total{breaker="redis",state="closed"} 1.0',
        'speech_translator_breaker_state{breaker="redis",state="closed"} 1.0',
    ):
        assert line in figures
    told = [line for line in api.lines() if line["event"] == "breaker_changed"]
    assert [(line["state"], line["reason"]) for line in told] == [
        ("open", "tripped"),
        ("closed", "reset"),
    ]
