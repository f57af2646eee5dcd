"""``Idempotency-Key`` over HTTP: done once, told again, and not to be read in the database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from speech_translator.errors import EngineFailed, StoreUnavailable
from speech_translator.security import idempotency
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}
BODY = {"text": "A purple elephant.", "source_language": "en", "target_language": "pt"}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def key_of(harness, user="ann"):
    body = {"user_id": user, "tier": "pro"}
    answer = await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)
    return {"X-API-Key": answer.json()["api_key"]}


async def translate(harness, headers, key="k-1", **changes):
    sent = headers if key is None else {**headers, "Idempotency-Key": key}
    return await harness.client.post("/translate/text", json={**BODY, **changes}, headers=sent)


def calls(harness):
    return len(harness.engine("bergamot").calls)


async def usage(harness, headers):
    return (await harness.client.get("/usage", headers=headers)).json()["month"]


async def test_a_request_that_is_sent_again_is_not_done_again(api, tmp_path: Path):
    headers = await key_of(api)
    first, second = await translate(api, headers), await translate(api, headers)
    assert first.status_code == second.status_code == 200
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert int(second.headers["x-ratelimit-remaining"]) >= 0
    assert calls(api) == 1
    assert (await usage(api, headers)) == {"requests": 1, "characters": 18, "audio_seconds": 0.0}
    kept = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("*.db*"))
    assert b"elephant" not in kept
    assert b"k-1" not in kept


async def test_speech_is_told_again_too_by_its_file_and_its_fields(api):
    headers = {**await key_of(api), "Idempotency-Key": "k-1"}

    async def speak(data=b"RIFF....WAVE", **fields):
        files = {"file": ("a.wav", data)}
        form = {"target_language": "pt", **fields}
        return await api.client.post("/translate/speech", files=files, data=form, headers=headers)

    first, second = await speak(), await speak()
    assert (first.status_code, first.content) == (200, second.content)
    assert second.headers["idempotency-replayed"] == "true"
    for name in ("content-type", "content-language", "x-source-language"):
        assert second.headers[name] == first.headers[name]
    assert len(api.decoders.seen) == 1
    for other in (await speak(b"RIFF....OTHER"), await speak(audio_format="flac")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await usage(api, headers))["requests"] == 1


async def test_a_key_is_one_owners_and_one_requests(api):
    ann, eve = await key_of(api), await key_of(api, "eve")
    await translate(api, ann)
    other = await translate(api, ann, text="Something else.")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert "idempotency-replayed" not in (await translate(api, eve)).headers
    assert "idempotency-replayed" not in (await translate(api, ann, "k-2")).headers


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "a b", "caf\xe9", "a\x7f"])
async def test_what_cannot_be_a_key_is_refused(api, key):
    answer = await translate(api, await key_of(api), key.encode("latin-1"))
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


async def test_two_keys_are_none(api):
    headers = [*(await key_of(api)).items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await api.client.post("/translate/text", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


async def test_while_it_is_done_the_second_is_told_to_wait(api):
    headers = await key_of(api)
    engine = api.engine("bergamot")
    answer, waiting = engine.answer, asyncio.Event()
    seen = []

    async def second():
        seen.append(await translate(api, headers))
        waiting.set()

    async def hold(*args, **rest):
        await second()
        return await submit(*args, **rest)

    submit = api.broker.submit
    api.broker.submit = hold
    first = await translate(api, headers)
    assert first.status_code == 200
    (refused,) = seen
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_in_progress")
    assert int(refused.headers["retry-after"]) >= 1
    assert engine.answer is answer


async def test_what_fails_is_not_kept(api):
    headers = await key_of(api)
    engine = api.engine("bergamot")
    right = engine.answer

    def fail(call):
        raise EngineFailed("no")

    engine.answer = fail
    assert (await translate(api, headers)).status_code == 502
    engine.answer = right
    again = await translate(api, headers)
    assert again.status_code == 200
    assert "idempotency-replayed" not in again.headers


async def test_an_answer_that_is_too_large_is_done_once_and_said_to_be(tmp_path):
    options = {"data_dir": tmp_path, "anonymous_tier": None, "idempotency_max_bytes": 10}
    async with running(**options) as api:
        headers = await key_of(api)
        assert (await translate(api, headers)).status_code == 200
        again = await translate(api, headers)
        assert (again.status_code, again.json()["code"]) == (409, "answer_not_kept")
        assert calls(api) == 1
        assert (await usage(api, headers))["requests"] == 1


async def test_without_an_api_key_it_belongs_to_the_address(tmp_path):
    async with running(data_dir=tmp_path, anonymous_tier="pro") as api:
        first = await translate(api, {})
        second = await translate(api, {})
        assert second.headers["idempotency-replayed"] == "true"
        assert second.content == first.content
        assert "idempotency-replayed" not in (await translate(api, await key_of(api))).headers
        transport = httpx.ASGITransport(app=api.app, client=("10.0.0.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as other:
            elsewhere = await other.post(
                "/translate/text", json=BODY, headers={"Idempotency-Key": "k-1"}
            )
        assert elsewhere.status_code == 200
        assert "idempotency-replayed" not in elsewhere.headers


async def test_a_request_sent_again_counts_at_the_door(api):
    headers = await key_of(api)
    answers = [await translate(api, headers) for _ in range(3)]
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers]
    assert left == [199, 198, 197]


async def test_without_the_database_a_request_with_a_key_is_refused_and_one_without_is_not(
    api, monkeypatch
):
    headers = await key_of(api)
    await translate(api, headers, None)

    async def away(*_args, **_rest):
        raise StoreUnavailable("away")

    monkeypatch.setattr(idempotency.IdempotencyStore, "begin", away)
    assert (await translate(api, headers)).status_code == 503
    assert (await translate(api, headers, None)).status_code == 200


@pytest.mark.parametrize("kept", [False, True])
async def test_an_answer_is_billed_if_it_is_kept_though_nobody_said_so(api, monkeypatch, kept):
    headers = await key_of(api)
    complete = idempotency.IdempotencyStore.complete

    async def away(*args, **rest):
        if kept:
            await complete(*args, **rest)
        raise StoreUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(idempotency.IdempotencyStore, "complete", away)
        assert (await translate(api, headers)).status_code == 503
    assert (await usage(api, headers))["requests"] == kept
    again = await translate(api, headers)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (200, kept)
    assert (await usage(api, headers))["requests"] == 1


async def test_an_answer_is_kept_at_the_second_try(api, monkeypatch):
    headers = await key_of(api)
    complete = idempotency.IdempotencyStore.complete
    failures = [True]

    async def away_once(*args, **rest):
        done = await complete(*args, **rest)
        if failures:
            failures.pop()
            raise StoreUnavailable("away")
        return done

    monkeypatch.setattr(idempotency.IdempotencyStore, "complete", away_once)
    assert (await translate(api, headers)).status_code == 200
    assert (await translate(api, headers)).headers["idempotency-replayed"] == "true"
    assert (await usage(api, headers))["requests"] == 1
