"""The audit log, and all of a user: who may see it, what is in it, and what an erasure leaves."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from speech_translator.security.audit_trail import Actor
from speech_translator.security.privacy import AGAIN_MS
from speech_translator.security.tiers import TierName
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def make(harness, **fields):
    body = {"user_id": "ann", "tier": "pro", **fields}
    answer = await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)
    assert answer.status_code == 201
    return answer.json()


async def administrator(harness):
    accounts = await harness.app.state.api.accounts.get()
    text, _ = await accounts.create_key("root", TierName.ADMIN, Actor("cli:test", "", ""))
    return {"X-API-Key": text}


def by(made):
    return {"X-API-Key": made["api_key"]}


async def translate(harness, headers, **more):
    body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    return await harness.client.post("/translate/text", json=body, headers={**headers, **more})


async def audit(harness, headers, **asked):
    answer = await harness.client.get("/admin/audit", params=asked, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["entries"]


# The audit log


async def test_every_act_that_changes_something_is_in_it(api):
    admin = await administrator(api)
    first = await make(api)
    asked = {"user_id": "eve", "tier": "free"}
    eve = (await api.client.post("/auth/api-key", json=asked, headers=admin)).json()
    path = f"/auth/api-key/{first['key_id']}"
    new = (await api.client.post(f"{path}/rotate", headers=by(first))).json()
    token = (await api.client.post("/auth/token", headers=by(new))).json()["access_token"]
    await api.client.delete("/auth/token", headers={"Authorization": f"Bearer {token}"})
    await api.client.delete(path, headers=admin)
    await api.client.get("/admin/users/ann/export", headers=admin)
    await api.client.delete("/admin/users/eve", headers=admin)
    found = [
        (entry["actor"], entry["action"], entry["subject"], entry["outcome"])
        for entry in reversed(await audit(api, admin))
    ]
    assert [(actor, action) for actor, action, _, _ in found] == [
        ("cli:test", "key.create"),
        ("anonymous", "key.bootstrap"),
        ("root", "key.create"),
        ("ann", "key.rotate"),
        ("ann", "token.issue"),
        ("ann", "token.revoke"),
        ("root", "key.revoke"),
        ("root", "user.export"),
        ("root", "user.erase"),
    ]
    assert {outcome for *_, outcome in found} == {"done"}
    assert [subject for _, _, subject, _ in found[1:4]] == [
        f"key:{first['key_id']}",
        f"key:{eve['key_id']}",
        f"key:{first['key_id']}",
    ]
    assert {subject for _, _, subject, _ in found[4:6]} == {f"key:{new['key_id']}"}
    assert found[7][2] == "user:ann"
    text = json.dumps(await audit(api, admin))
    for secret in (first["api_key"], new["api_key"], token, "Hello"):
        assert secret not in text


async def test_it_is_read_in_pages_and_by_actor_and_subject(api):
    admin = await administrator(api)
    made = [await make(api, user_id=f"u{number}") for number in range(4)]
    answer = await api.client.get("/admin/audit", params={"limit": 2}, headers=admin)
    page = answer.json()
    assert [entry["subject"] for entry in page["entries"]] == [
        f"key:{made[3]['key_id']}",
        f"key:{made[2]['key_id']}",
    ]
    older = await audit(api, admin, before=page["next"])
    assert [entry["action"] for entry in older] == ["key.bootstrap", "key.bootstrap", "key.create"]
    subject = f"key:{made[1]['key_id']}"
    assert [entry["subject"] for entry in await audit(api, admin, subject=subject)] == [subject]
    assert len(await audit(api, admin, actor="anonymous")) == 4
    assert await audit(api, admin, actor="' OR 1=1 --") == []
    (entry,) = await audit(api, admin, actor="cli:test")
    assert (entry["address"], entry["request_id"]) == ("", "")
    last = await api.client.get("/admin/audit", params={"before": 0}, headers=admin)
    assert last.json() == {"entries": [], "next": None}


@pytest.mark.parametrize(
    "asked",
    [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"before": "-1"}, {"before": "9" * 30},
     {"actor": ""}, {"subject": "a" * 161}, {"actor": "\x00"},
     {"subject": "user:ann\n"}],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused(api, asked):
    answer = await api.client.get("/admin/audit", params=asked, headers=await administrator(api))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


REFUSED = [
    ("GET", "/admin/audit"),
    ("GET", "/admin/usage"),
    ("GET", "/admin/users/ann/export"),
    ("DELETE", "/admin/users/ann"),
    ("POST", "/auth/api-key"),
    ("POST", "/admin/cache/clear"),
    ("GET", "/admin/circuit-breakers"),
    ("POST", "/admin/circuit-breaker/reset"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
async def test_what_is_refused_to_a_valid_key_is_in_it(api, method, path):
    eve = await make(api, user_id="eve")
    answer = await api.client.request(method, path, headers=by(eve))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    entry = (await audit(api, await administrator(api), actor="eve"))[0]
    assert (entry["action"], entry["outcome"]) == ("refused", "forbidden")
    assert entry["subject"] == f"{method} {path.replace('ann', '{user_id}')}"
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["address"] == "127.0.0.1"


@pytest.mark.parametrize(("method", "path"), REFUSED)
async def test_without_a_key_nothing_is_to_be_had(api, method, path):
    headers = {"origin": "http://localhost:8000"}
    answer = await api.client.request(method, path, headers=headers)
    assert answer.status_code == 401


async def test_an_administrators_token_neither_exports_nor_erases(api):
    admin = await administrator(api)
    token = (await api.client.post("/auth/token", headers=admin)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    await make(api)
    for method, path in (("GET", "/admin/users/ann/export"), ("DELETE", "/admin/users/ann")):
        answer = await api.client.request(method, path, headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    refused = [entry for entry in await audit(api, admin) if entry["action"] == "refused"]
    assert len(refused) == 2


async def test_refusals_do_not_fill_the_database(api):
    eve = await make(api, user_id="eve")
    for _ in range(80):
        assert (await api.client.get("/admin/audit", headers=by(eve))).status_code == 403
    found = await audit(api, await administrator(api), actor="eve", limit=500)
    assert 60 <= len(found) < 80  # a second of a busy machine gives one more


# Users


async def test_all_that_is_kept_of_a_user_is_handed_over(api):
    admin, made = await administrator(api), await make(api, name="laptop")
    await make(api, user_id="eve")
    assert (await translate(api, by(made), **{"Idempotency-Key": "one"})).status_code == 200
    await api.client.get("/admin/audit", headers=by(made))
    answer = await api.client.get("/admin/users/ann/export", headers=admin)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["user_id"] == "ann"
    data = body["data"]
    assert [(key["key_id"], key["name"]) for key in data["keys"]] == [(made["key_id"], "laptop")]
    (used,) = data["usage"]
    assert (used["operation"], used["requests"], used["characters"]) == ("translate", 1, 6)
    (request,) = data["requests"]
    assert request["status"] == 200
    assert [(entry["actor"], entry["action"]) for entry in data["audit"]] == [
        ("another", "key.bootstrap"),
        ("ann", "refused"),
    ]
    assert [entry["address"] for entry in data["audit"]] == ["", "127.0.0.1"]
    for hidden in ("digest", "eve", made["api_key"], "Hello"):
        assert hidden not in answer.text


async def test_an_erased_user_is_gone_and_their_keys_open_nothing(api):
    admin, made, eve = await administrator(api), await make(api), await make(api, user_id="eve")
    await translate(api, by(made), **{"Idempotency-Key": "one"})
    await translate(api, by(eve))
    token = (await api.client.post("/auth/token", headers=by(made))).json()["access_token"]
    await api.client.get("/admin/audit", headers=by(made))
    answer = await api.client.delete("/admin/users/ann", headers=admin)
    assert answer.status_code == 200
    body = answer.json()
    assert body["erased"] == {
        "audit": 2, "keys": 1, "usage": 1, "requests": 1, "live_sessions": 0,
    }  # fmt: skip
    for headers in (by(made), {"Authorization": f"Bearer {token}"}):
        assert (await translate(api, headers)).status_code == 401
    for method in ("GET", "DELETE"):
        path = "/admin/users/ann" + ("/export" if method == "GET" else "")
        gone = await api.client.request(method, path, headers=admin)
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    entries = await audit(api, admin)
    assert "ann" not in json.dumps([[entry["actor"], entry["subject"]] for entry in entries])
    (refused,) = [entry for entry in entries if entry["action"] == "refused"]
    assert (refused["actor"], refused["address"]) == (body["pseudonym"], "")
    (erased,) = [entry for entry in entries if entry["action"] == "user.erase"]
    assert (erased["actor"], erased["subject"]) == ("root", body["pseudonym"])
    assert body["pseudonym"].startswith("erased:")
    assert (await translate(api, by(eve))).status_code == 200
    state = api.app.state.api
    names = "".join([*state.shared.limits._counters, *state.metering.limits._begun])
    assert ("owner:ann" in names, "owner:eve" in names) == (False, True)


async def test_what_was_under_way_goes_too_and_who_comes_after_stays(api):
    admin = await administrator(api)
    await make(api)
    accounts = await api.app.state.api.accounts.get()
    await api.client.delete("/admin/users/ann", headers=admin)
    from speech_translator.storage.usage import Totals, UsageRow

    late = UsageRow("2026-11-28", "ann", "its-holder", "translate", Totals(1, 2, 3))
    await accounts.usage.apply("late", [late], 1)
    again = await make(api)
    await accounts.privacy.finish()
    assert (await accounts.privacy.export("ann"))["usage"] != []
    privacy = accounts.privacy
    now = privacy._clock()
    privacy._clock = lambda: now + AGAIN_MS + 1
    await privacy.finish()
    assert (await privacy.export("ann"))["usage"] == []
    assert (await translate(api, by(again))).status_code == 200


async def test_what_a_killed_process_left_does_not_bring_back_who_was_erased(api, tmp_path):
    admin, made, eve = await administrator(api), await make(api), await make(api, user_id="eve")
    await api.client.delete("/admin/users/ann", headers=admin)
    again = await make(api)
    lines = [
        ["2026-11-28", owner, key["key_id"], "translate", 1, 5, 0]
        for owner, key in (("ann", made), ("eve", eve), ("ann", again))
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "data/usage/left.usage").write_text(text)
    await api.app.state.api.metering.journal.adopt()
    assert not list((tmp_path / "data/usage").glob("left*"))
    privacy = (await api.app.state.api.accounts.get()).privacy
    for user, key in (("ann", again), ("eve", eve)):
        rows = (await privacy.export(user))["usage"]
        assert [row["key_id"] for row in rows] == [key["key_id"]]


async def test_a_restart_does_not_keep_an_erasure_from_its_end(tmp_path):
    from speech_translator.storage.usage import Totals, UsageRow

    async with running(data_dir=tmp_path, anonymous_tier=None) as api:
        admin = await administrator(api)
        await make(api)
        answer = await api.client.delete("/admin/users/ann", headers=admin)
        accounts = await api.app.state.api.accounts.get()
        late = UsageRow("2026-11-28", "ann", "its-holder", "translate", Totals(1, 2, 3))
        await accounts.usage.apply("late", [late], 1)
        await accounts.refused(Actor("ann", "192.0.2.7", "r1"), "GET /admin/audit", "forbidden")
    async with running(data_dir=tmp_path, anonymous_tier=None) as api:
        privacy = (await api.app.state.api.accounts.get()).privacy
        found = await privacy.export("ann")
        assert len(found["usage"]) == len(found["audit"]) == 1
        now = privacy._clock()
        privacy._clock = lambda: now + AGAIN_MS + 1
        await privacy.finish()
        assert not any((await privacy.export("ann")).values())
        entries = [entry for entry in await audit(api, admin) if entry["action"] == "refused"]
        assert [entry["actor"] for entry in entries] == [answer.json()["pseudonym"]]
        assert await privacy._erasures.due(2 * now) == []


async def test_who_erases_themselves_is_not_named_either(api):
    admin = await administrator(api)
    await make(api)
    answer = await api.client.delete("/admin/users/root", headers=admin)
    assert answer.status_code == 200
    other = await administrator(api)
    entries = await audit(api, other)
    assert "root" not in {entry["actor"] for entry in entries}
    assert entries[1]["actor"] == entries[1]["subject"] == answer.json()["pseudonym"]


@pytest.mark.parametrize(
    "user", ["a/b", "日本 語", "a%2Fb", "export", "x/export", "' OR 1=1 --", "."]
)
async def test_any_name_is_a_name(api, user):
    admin = await administrator(api)
    await make(api, user_id=user)
    await make(api, user_id="ann")
    path = f"/admin/users/{quote(user, safe='').replace('.', '%2E')}"
    found = await api.client.get(f"{path}/export", headers=admin)
    assert found.json()["user_id"] == user
    assert len(found.json()["data"]["keys"]) == 1
    assert (await api.client.delete(path, headers=admin)).status_code == 200
    assert (await api.client.get(f"{path}/export", headers=admin)).status_code == 404
    assert (await api.client.get("/admin/users/ann/export", headers=admin)).status_code == 200


# Ages


async def test_old_keys_are_flagged_counted_and_told(tmp_path):
    options = {"data_dir": tmp_path, "anonymous_tier": None}
    async with running(**options) as api:
        made = await make(api)
        assert (made["age_days"], made["stale"]) == (0, False)
        accounts = await api.app.state.api.accounts.get()
        await accounts.upkeep.step()
    import sqlite3

    with sqlite3.connect(tmp_path / "speech-translator.db") as database:
        database.execute("UPDATE api_keys SET created_at = created_at - 31 * 86400000")
        database.execute("UPDATE api_keys SET expires_at = NULL")
    database.close()
    async with running(**options) as api:
        listed = (await api.client.get("/auth/api-keys", headers=by(made))).json()["keys"]
        assert [(key["age_days"], key["stale"]) for key in listed] == [(31, True)]
        accounts = await api.app.state.api.accounts.get()
        await accounts.upkeep.step()
        figures = (await api.client.get("/metrics")).text
        assert "speech_translator_api_keys_over_age 1.0" in figures
        assert made["key_id"] not in figures
        events = {line["event"]: line for line in api.lines() if "key" in line["event"]}
        assert events["keys_over_age"]["key_ids"] == [made["key_id"]]
        assert events["old_key_used"]["key_id"] == made["key_id"]
        headers = {"X-API-Key": made["api_key"]}
        listed = (await api.client.get("/auth/api-keys", headers=headers)).json()["keys"]
        assert listed[0]["last_used_at"] is not None


async def test_a_last_use_is_kept_when_the_service_stops(tmp_path):
    async with running(data_dir=tmp_path, anonymous_tier=None) as api:
        made = await make(api)
        assert (await translate(api, by(made))).status_code == 200
    async with running(data_dir=tmp_path, anonymous_tier=None) as api:
        accounts = await api.app.state.api.accounts.get()
        (record,) = await accounts.keys(owner="ann")
        assert record.last_used_at is not None
        assert record.last_used_at >= record.created_at
