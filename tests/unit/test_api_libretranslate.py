"""LibreTranslate's routes: its shapes, its statuses, and its key in the body."""

from __future__ import annotations

import asyncio
import json

import pytest

from speech_translator.api import keyless_bodies
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def key_of(harness, **fields):
    body = json.dumps({"user_id": "ann", "tier": "pro", **fields})
    answer = await harness.client.post("/auth/api-key", content=body, headers=LOCAL)
    return answer.json()["api_key"]


async def ask(harness, path="/translate", **fields):
    return await harness.client.post(path, json=fields)


async def test_a_string_for_a_string_and_a_list_for_a_list(api):
    key = await key_of(api)
    common = {"source": "en", "target": "pt", "api_key": key}
    one = await ask(api, q="Hello.", **common)
    assert (one.status_code, one.json()) == (200, {"translatedText": "pt:Hello."})
    many = await ask(api, q=["Hello.", "Bye."], alternatives=2, **common)
    assert many.json() == {
        "translatedText": ["pt:Hello.", "pt:Bye."],
        "alternatives": [[], []],
    }


async def test_forms_and_headers_are_taken_too(api):
    key = await key_of(api)
    fields = {"q": "Hello.", "source": "en", "target": "pt"}
    by_form = await api.client.post("/translate", data={**fields, "api_key": key})
    by_header = await api.client.post("/translate", json=fields, headers={"X-API-Key": key})
    assert by_form.json() == by_header.json() == {"translatedText": "pt:Hello."}


async def test_auto_tells_the_language_with_a_confidence_of_a_hundred(api):
    key = await key_of(api)
    text = "Good morning, how are you today?"
    answer = (await ask(api, q=text, source="auto", target="pt", api_key=key)).json()
    assert answer["detectedLanguage"]["language"] == "en"
    assert 50 <= answer["detectedLanguage"]["confidence"] <= 100
    (found,) = (await ask(api, "/detect", q=text, api_key=key)).json()
    assert found == answer["detectedLanguage"]
    (unsure,) = (await ask(api, "/detect", q="12", api_key=key)).json()
    assert unsure == {"confidence": 0.0, "language": "en"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"api_key": ""}, 400),
        ({"api_key": "nonsense"}, 403),
        ({"api_key": 5}, 400),
        ({"q": ""}, 400),
        ({"q": [1]}, 400),
        ({"q": None}, 400),
        ({"source": ""}, 400),
        ({"target": "klingon"}, 400),
        ({"target": "ja"}, 400),
        ({"format": "pdf"}, 400),
        ({"alternatives": "x"}, 400),
        ({"alternatives": 11}, 400),
    ],
)
async def test_errors_are_in_its_shape(api, changes, status):
    fields = {"q": "Hello.", "source": "en", "target": "pt", "api_key": await key_of(api)}
    answer = await ask(api, **{**fields, **changes})
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert "nonsense" not in answer.text
    assert "klingon" not in answer.text


@pytest.mark.parametrize("body", [b"", b"[", b"[1]", b'"q"', b"\xff", b"q=%FF"])
async def test_what_is_no_body_is_refused(api, body):
    kind = {"Content-Type": "application/json", "X-API-Key": await key_of(api)}
    answer = await api.client.post("/translate", content=body, headers=kind)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


async def test_limits_and_quotas_hold_and_are_told(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text("[free]\ncharacters_per_month = 10\nrequests_per_minute = 3\n")
    async with running(data_dir=tmp_path, anonymous_tier=None, tiers_file=file) as api:
        key = await key_of(api, tier="free")
        fields = {"source": "en", "target": "pt", "api_key": key}
        codes = [(await ask(api, q=text, **fields)).status_code for text in ("Hello.", "Goodbye.")]
        assert codes == [200, 429]
        usage = (await api.client.get("/usage", headers={"X-API-Key": key})).json()["month"]
        assert (usage["requests"], usage["characters"]) == (1, 6)
        refused = await ask(api, q="Goodbye.", **fields)
        assert int(refused.headers["retry-after"]) >= 1


async def test_a_scope_is_needed_and_a_body_has_its_bounds(api):
    key = await key_of(api, scopes=["stream"])
    fields = {"q": "Hello.", "source": "en", "target": "pt", "api_key": key}
    assert (await ask(api, **fields)).status_code == 403
    assert (await ask(api, **{**fields, "q": "x" * 3_000_000})).status_code == 413


async def test_what_is_detected_is_a_request_that_counts(api):
    key = await key_of(api)
    assert (await ask(api, "/detect", q="Good morning.", api_key=key)).status_code == 200
    month = (await api.client.get("/usage", headers={"X-API-Key": key})).json()["month"]
    assert month == {"requests": 1, "characters": 0, "audio_seconds": 0.0}


async def test_strangers_who_send_slowly_take_no_place_from_who_is_known(api, monkeypatch):
    monkeypatch.setattr(keyless_bodies, "PLACES_OF_ONE", 2)
    key = await key_of(api)
    fields = json.dumps({"q": "Hello.", "source": "en", "target": "pt", "api_key": key}).encode()
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slowly():
        yield fields[:5]
        begun.release()
        await go_on.wait()
        yield fields[5:]

    kind = {"Content-Type": "application/json"}
    sending = [
        asyncio.create_task(api.client.post("/translate", content=slowly(), headers=kind))
        for _ in range(2)
    ]
    for _ in sending:
        await begun.acquire()
    refused = await api.client.post("/translate", content=fields, headers=kind)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    known = await api.client.post("/translate", content=fields, headers={**kind, "X-API-Key": key})
    assert known.status_code == 200
    go_on.set()
    assert [(await one).status_code for one in sending] == [200, 200]
    again = await api.client.post("/translate", content=fields, headers=kind)
    assert again.status_code == 200


async def test_a_request_with_an_idempotency_key_is_done_once(api):
    key = await key_of(api)
    fields = {"q": "Hello.", "source": "en", "target": "pt", "api_key": key}
    named = {"Idempotency-Key": "one-request"}
    first = await api.client.post("/translate", json=fields, headers=named)
    again = await api.client.post("/translate", json=fields, headers=named)
    assert first.json() == again.json() == {"translatedText": "pt:Hello."}
    assert again.headers["idempotency-replayed"] == "true"
    usage = await api.client.get("/usage", headers={"X-API-Key": key})
    assert usage.json()["month"]["characters"] == 6
    other = await api.client.post("/translate", json={**fields, "q": "Bye."}, headers=named)
    assert other.status_code == 400
    assert set(other.json()) == {"error"}
