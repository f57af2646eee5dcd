"""Usage over HTTP: what is counted, what is left, what a report says, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from speech_translator.api.account_schemas import UsageLineAnswer
from speech_translator.api.routes import usage as routes
from speech_translator.api.routes.usage import as_csv
from speech_translator.errors import EngineFailed, Overloaded, StoreUnavailable
from speech_translator.security.audit_trail import Actor
from speech_translator.security.tiers import TierName
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}
RECORDING = {"file": ("a.wav", b"RIFF....WAVE")}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def key_of(harness, **fields):
    body = {"user_id": "ann", "tier": "free", **fields}
    answer = await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)
    return {"X-API-Key": answer.json()["api_key"]}


async def administrator(harness):
    accounts = await harness.app.state.api.accounts.get()
    text, _ = await accounts.create_key("root", TierName.ADMIN, Actor("test", "", ""))
    return {"X-API-Key": text}


async def translate(harness, headers, text="Hello."):
    body = {"text": text, "source_language": "en", "target_language": "pt"}
    return await harness.client.post("/translate/text", json=body, headers=headers)


async def usage(harness, headers):
    answer = await harness.client.get("/usage", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def left(found, name):
    return next(one["remaining"] for one in found["limits"] if one["name"] == name)


async def test_what_is_answered_counts_and_what_was_cached_does_not(api):
    headers = await key_of(api)
    first = await translate(api, headers)
    assert first.json()["cached"] is False
    assert '"characters-minute";q=10000;w=60' in first.headers["ratelimit-policy"]
    assert '"characters-month";r=499994' in first.headers["ratelimit"]
    assert '"requests-day";r=999' in first.headers["ratelimit"]
    again = await translate(api, headers)
    assert again.json()["cached"] is True
    assert '"characters-month";r=499994' in again.headers["ratelimit"]
    found = await usage(api, headers)
    assert (found["user_id"], found["tier"]) == ("ann", "free")
    assert found["month"] == {"requests": 2, "characters": 6, "audio_seconds": 0.0}
    assert found["day"] == found["month"]
    assert left(found, "characters-month") == 500_000 - 6
    assert left(found, "requests-day") == 998


async def test_who_is_refused_for_want_of_room_pays_nothing(api):
    headers = await key_of(api)

    def full(_call):
        raise Overloaded("Too much is waiting for this engine.", retry_after=3.0)

    api.engine("bergamot").answer = full
    refused = await translate(api, headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    assert '"requests-day";r=1000' in refused.headers["ratelimit"]
    found = await usage(api, headers)
    assert found["month"] == {"requests": 0, "characters": 0, "audio_seconds": 0.0}
    assert left(found, "requests-day") == 1_000


async def test_markup_that_is_sanitised_costs_what_was_sent(api):
    headers = await key_of(api)
    document = "<p>Hello.</p><script>x()</script>"
    wanted = {"target_language": "pt", "source_language": "en", "format": "html", "sanitize": True}
    answer = await api.client.post(
        "/translate/text", json={**wanted, "text": document}, headers=headers
    )
    assert answer.json()["translation"] == "<p>pt:Hello.</p>"
    assert (await usage(api, headers))["month"]["characters"] == len(document)


async def test_what_the_database_does_not_know_yet_is_a_metric(api, monkeypatch):
    async def away(segment_id, rows):
        raise StoreUnavailable("away")

    journal = api.app.state.api.metering.journal
    monkeypatch.setattr(journal, "_apply", away)
    headers = await key_of(api)
    for _ in range(3):
        await translate(api, headers)

    async def waiting():
        lines = (await api.client.get("/metrics")).text.splitlines()
        return next(line for line in lines if line.startswith("speech_translator_usage_waiting"))

    await journal.flush()
    assert (await waiting()).endswith(" 3.0")
    monkeypatch.undo()
    await journal.flush()
    assert (await waiting()).endswith(" 0.0")


async def test_the_operator_may_bill_what_was_cached(tmp_path):
    async with running(data_dir=tmp_path, anonymous_tier=None, bill_cached=True) as api:
        headers = await key_of(api)
        for _ in range(2):
            await translate(api, headers)
        assert (await usage(api, headers))["month"]["characters"] == 12


async def test_work_that_fails_costs_no_characters(api):
    headers = await key_of(api)

    def fail(call):
        raise EngineFailed("no")

    api.engine("bergamot").answer = fail
    failed = await translate(api, headers)
    assert failed.status_code == 502
    assert (
        '"characters-minute";r=10000;t=0, "characters-month";r=500000'
        in (failed.headers["ratelimit"])
    )
    assert failed.headers["ratelimit"].count("characters-month") == 1
    found = await usage(api, headers)
    assert found["month"] == {"requests": 0, "characters": 0, "audio_seconds": 0.0}
    assert left(found, "characters-month") == 500_000
    assert left(found, "requests-day") == 999


async def test_sound_counts_in_seconds_and_its_text_where_it_is_translated(api):
    headers = await key_of(api)
    for data in ({}, {"target_language": "pt"}):
        answer = await api.client.post(
            "/transcribe/audio", files=RECORDING, data=data, headers=headers
        )
        assert answer.status_code == 200
    found = await usage(api, headers)
    text = answer.json()["text"]
    assert found["month"] == {"requests": 2, "characters": len(text), "audio_seconds": 4.0}
    assert left(found, "audio-month") == 120 * 60 - 4


async def test_a_quota_that_is_used_up_is_refused_before_the_work(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text(
        "[free]\ncharacters_per_month = 10\naudio_minutes_per_month = 0\nmax_text_chars = 9\n"
    )
    async with running(data_dir=tmp_path, anonymous_tier=None, tiers_file=file) as api:
        headers = await key_of(api)
        assert (await translate(api, headers)).status_code == 200
        refused = await translate(api, headers, "Goodbye!")
        assert (refused.status_code, refused.json()["code"]) == (429, "limit_exceeded")
        assert [one["policy"] for one in refused.json()["violated"]] == ["characters-month"]
        assert int(refused.headers["retry-after"]) >= 1
        assert '"characters-month";r=4' in refused.headers["ratelimit"]
        assert '"requests-minute";r=9' in refused.headers["ratelimit"]  # it cost no request
        assert len(api.engine("bergamot").calls) == 1
        heard = await api.client.post("/transcribe/audio", files=RECORDING, headers=headers)
        assert heard.status_code == 429
        assert "retry-after" not in heard.headers
        long = await translate(api, headers, "0123456789")
        assert (long.status_code, long.json()["code"]) == (422, "text_too_long")


async def test_a_report_comes_in_pages_as_json_and_whole_as_csv(api, monkeypatch):
    monkeypatch.setattr(routes, "PAGE_LINES", 2)
    for number in range(5):
        await translate(api, await key_of(api, user_id=f"user {number}"))
    await api.app.state.api.metering.journal.flush()
    admin = await administrator(api)
    seen, asked = [], {}
    while True:
        found = (await api.client.get("/admin/usage", params=asked, headers=admin)).json()
        assert len(found["lines"]) <= 2
        seen += [line["user_id"] for line in found["lines"]]
        if found["next"] is None:
            break
        asked = {"after": found["next"]}
    table = await api.client.get("/admin/usage", params={"format": "csv"}, headers=admin)
    lines = list(csv.DictReader(io.StringIO(table.text)))
    assert seen == [line["user_id"] for line in lines] == [f"user {n}" for n in range(5)]


async def test_what_a_key_used_is_told_at_once(api):
    headers = await key_of(api)
    for _ in range(2):
        await translate(api, headers)
        found = await usage(api, headers)
        (key,) = found["keys"]
        assert {name: key[name] for name in found["month"]} == found["month"]
        await api.app.state.api.metering.journal.flush()


async def test_a_tiers_largest_file_is_its_own(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text("[free]\nmax_file_mb = 1\n")
    async with running(data_dir=tmp_path, anonymous_tier=None, tiers_file=file) as api:
        files = {"file": ("a.wav", bytes(1_100_000))}
        for tier, status in (("free", 413), ("pro", 200)):
            headers = await key_of(api, tier=tier)
            answer = await api.client.post("/transcribe/audio", files=files, headers=headers)
            assert answer.status_code == status


async def test_quotas_outlive_the_process(tmp_path):
    options = {"data_dir": tmp_path, "anonymous_tier": None}
    async with running(**options) as api:
        headers = await key_of(api)
        await translate(api, headers)
    async with running(**options) as api:
        await translate(api, headers, "Good evening.")
        found = await usage(api, headers)
    assert found["month"]["characters"] == 19
    assert left(found, "characters-month") == 500_000 - 19
    assert left(found, "requests-day") == 998


async def test_owners_see_their_own_and_administrators_the_report(api, tmp_path):
    ann, eve = await key_of(api), await key_of(api, user_id="=eve()")
    await translate(api, ann)
    await translate(api, eve, "Bye.")
    await api.app.state.api.metering.journal.flush()
    assert (await usage(api, ann))["month"]["requests"] == 1
    assert len((await usage(api, eve))["keys"]) == 1
    assert (await api.client.get("/admin/usage", headers=ann)).status_code == 403
    assert (await api.client.get("/admin/usage")).status_code == 401
    admin = await administrator(api)
    report = (await api.client.get("/admin/usage", headers=admin)).json()
    month = datetime.now(UTC).strftime("%Y-%m")
    assert [(line["user_id"], line["period"], line["characters"]) for line in report["lines"]] == [
        ("=eve()", month, 4),
        ("ann", month, 6),
    ]
    asked = {"format": "csv", "group": "key", "period": "day", "user_id": "=eve()"}
    table = await api.client.get("/admin/usage", params=asked, headers=admin)
    assert table.headers["content-type"].startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(table.text))
    assert line["user_id"] == "'=eve()"
    assert (line["characters"], line["key_id"]) == ("4", eve["X-API-Key"].split("_")[2])


@pytest.mark.parametrize(
    "asked",
    [{"from": "yesterday"}, {"to": "2026-02-30"}, {"from": "2026-02-02", "to": "2026-02-01"},
     {"format": "xml"}, {"group": "x"}, {"period": "year"},
     {"after": "x"}, {"after": "é"}, {"after": "WzFd"}, {"to": ""}, {"to": "20260201"},
     {"from": "2026-W05-1"}, {"user_id": "x" * 129},
     {"user_id": "a\0"}, {"user_id": "a\n"}, {"after": "WyIiLCIiLCJcdTAwMDAiLCIiXQ=="}],
)  # fmt: skip
async def test_a_report_that_cannot_be_is_refused(api, asked):
    answer = await api.client.get("/admin/usage", params=asked, headers=await administrator(api))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


def test_a_cell_that_a_spreadsheet_would_compute_is_quoted():
    def line(user):
        return UsageLineAnswer(
            period="2026-11", user_id=user, key_id="", operation="translate",
            requests=1, characters=2, audio_seconds=0.5,
        )  # fmt: skip

    rows = list(
        csv.reader(io.StringIO(as_csv([line("=1+1"), line("@x"), line('a,"b'), line("-")])))
    )
    assert [row[1] for row in rows[1:]] == ["'=1+1", "'@x", 'a,"b', "'-"]
    assert rows[1][4:] == ["1", "2", "0.5"]
