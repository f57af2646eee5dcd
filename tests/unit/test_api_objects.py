"""Object-level checks: whoever asks for what is somebody else's is told that there is nothing."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.api import running

LOCAL = {"host": "localhost:8000"}
BY_SECRET = {"/captions/{session}"}
"""What a secret of the thing's own opens, and no key; see ``test_streaming_sharing.py``."""


async def make(harness, owner):
    body = {"user_id": owner, "tier": "pro"}
    answer = await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)
    return answer.json()


async def with_ids(harness):
    """Every operation with an id in its path, from the document, which has them all."""
    paths = (await harness.client.get("/openapi.json")).json()["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method in operations
        if "{" in path
    ]


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def test_another_owner_finds_nothing_behind_any_id(api):
    ann, eve = await make(api, "ann"), await make(api, "eve")
    ids = {"key_id": ann["key_id"], "user_id": "ann", "session": "of-ann"}
    found = await with_ids(api)
    assert {path for _, path in found} >= {
        "/auth/api-key/{key_id}",
        "/auth/api-key/{key_id}/rotate",
        "/admin/users/{user_id}",
    }
    for method, path in found:
        asked = re.sub(r"{(\w+)}", lambda name: ids[name[1]], path)
        answer = await api.client.request(method, asked, headers={"X-API-Key": eve["api_key"]})
        expected = 403 if path.startswith("/admin/") else 404
        assert answer.status_code == expected, (method, path)
        # What is not there looks the same.
        missing = re.sub(r"{(\w+)}", "zzzzzzzzzzzz", path)
        other = await api.client.request(method, missing, headers={"X-API-Key": eve["api_key"]})
        hidden = {"request_id": ""}
        assert {**answer.json(), **hidden} == {**other.json(), **hidden}, (method, path)
        anonymous = await api.client.request(method, asked)
        expected = 404 if path in BY_SECRET else 401
        assert anonymous.status_code == expected, (method, path)
    headers = {"X-API-Key": ann["api_key"]}
    (key,) = (await api.client.get("/auth/api-keys", headers=headers)).json()["keys"]
    assert (key["revoked_at"], key["replaced_by"]) == (None, None)


async def test_what_has_no_id_shows_only_ones_own(api):
    ann, eve = await make(api, "ann"), await make(api, "eve")
    sent = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    ask = {"X-API-Key": ann["api_key"], "Idempotency-Key": "the-same"}
    assert (await api.client.post("/translate/text", json=sent, headers=ask)).status_code == 200
    headers = {"X-API-Key": eve["api_key"]}
    usage = await api.client.get("/usage", headers=headers, params={"user_id": "ann"})
    assert (usage.json()["user_id"], usage.json()["month"]["requests"]) == ("eve", 0)
    listed = await api.client.get("/auth/api-keys", headers=headers, params={"owner": "ann"})
    assert [key["user_id"] for key in listed.json()["keys"]] == ["eve"]
    # The same Idempotency-Key of another owner is another one.
    other = {**sent, "text": "Bye."}
    ask = {**headers, "Idempotency-Key": "the-same"}
    answer = await api.client.post("/translate/text", json=other, headers=ask)
    assert answer.status_code == 200
    assert answer.json()["translation"] != ""
