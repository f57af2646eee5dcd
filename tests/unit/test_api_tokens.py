"""Tokens and rotation over the API: who gets them, what they open, and what ends them."""

import json

import jwt
import pytest

from tests.support.api import administrators_key, running

LOCAL = {"host": "localhost:8000"}
PAGE = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data") as harness:
        yield harness


async def make(harness, **fields):
    body = {"user_id": "ann", "tier": "pro", **fields}
    answer = await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)
    return answer.json()


async def token(harness, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await harness.client.post("/auth/token", json=body, headers=named)


async def translate(harness, credential):
    body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    headers = {"Authorization": f"Bearer {credential}"}
    return (await harness.client.post("/translate/text", json=body, headers=headers)).status_code


async def test_a_key_makes_tokens_that_others_can_check(api):
    key = (await make(api))["api_key"]
    answer = await token(api, X_API_Key=key)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 600)
    assert await translate(api, body["access_token"]) == 200
    published = await api.client.get("/.well-known/jwks.json")
    assert "max-age" in published.headers["cache-control"]
    (public,) = jwt.PyJWKSet.from_dict(published.json()).keys
    claims = jwt.decode(
        body["access_token"],
        public.key,
        algorithms=["EdDSA"],
        audience="speech-translator",
        options={"verify_iat": False},
    )
    assert (claims["sub"], claims["tier"]) == ("ann", "pro")
    assert claims["scope"] == "speech stream transcribe translate"
    assert key not in api.log.getvalue()
    assert body["access_token"] not in api.log.getvalue()


async def test_a_token_for_a_part_opens_that_part(api):
    key = (await make(api))["api_key"]
    text = (await token(api, {"scopes": ["stream"]}, X_API_Key=key)).json()["access_token"]
    assert await translate(api, text) == 403
    assert (await token(api, {"scopes": ["admin"]}, X_API_Key=key)).status_code == 403
    assert (await token(api, {"scopes": ["root"]}, X_API_Key=key)).status_code == 422
    assert (await token(api, {"other": 1}, X_API_Key=key)).status_code == 422


async def test_a_token_makes_nothing_that_outlives_it(api):
    made = await make(api)
    text = (await token(api, X_API_Key=made["api_key"])).json()["access_token"]
    bearer = {"Authorization": f"Bearer {text}"}
    path = f"/auth/api-key/{made['key_id']}"
    for method, where in (
        ("POST", "/auth/token"),
        ("POST", f"{path}/rotate"),
        ("DELETE", path),
    ):
        answer = await api.client.request(method, where, headers=bearer)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await api.client.get("/auth/api-keys", headers=bearer)).status_code == 200


async def test_tokens_end_with_their_key_and_when_they_are_closed(api):
    made = await make(api)
    first, second = [
        (await token(api, X_API_Key=made["api_key"])).json()["access_token"] for _ in range(2)
    ]
    bearer = {"Authorization": f"Bearer {first}"}
    assert (await api.client.delete("/auth/token", headers=bearer)).status_code == 204
    assert (await api.client.delete("/auth/token", headers=bearer)).status_code == 401
    by_key = {"X-API-Key": made["api_key"]}
    assert (await api.client.delete("/auth/token", headers=by_key)).status_code == 403
    assert (await api.client.delete("/auth/token")).status_code == 401
    assert (await translate(api, first), await translate(api, second)) == (401, 200)
    await api.client.delete(f"/auth/api-key/{made['key_id']}", headers=by_key)
    assert await translate(api, second) == 401


async def test_the_page_on_this_machine_gets_a_token_without_a_key(api):
    answers = [await token(api, **PAGE) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    texts = [answer.json()["access_token"] for answer in answers]
    assert [await translate(api, text) for text in texts] == [200, 200]
    claims = [jwt.decode(text, options={"verify_signature": False}) for text in texts]
    assert {claim["sub"] for claim in claims} == {"page"}
    assert len({claim["key_id"] for claim in claims}) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:3000"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {**PAGE, "x_forwarded_for": "127.0.0.1"},
        {**PAGE, "sec_fetch_site": "same-site"},
    ],
)
async def test_nobody_else_does(api, headers, tmp_path):
    answer = await token(api, **headers)
    assert answer.status_code in {401, 403, 421}
    assert not list((tmp_path / "data").glob("*.db"))


async def test_the_page_gets_none_in_production(tmp_path):
    options = {"environment": "production", "data_dir": tmp_path, "secret_pepper": "x" * 32}
    await administrators_key(**options)
    async with running(**options) as harness:
        assert (await token(harness, **PAGE)).status_code == 401


async def test_the_page_comes_back_after_its_key_was_revoked(api):
    first = (await token(api, **PAGE)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {first}"}
    (key,) = (await api.client.get("/auth/api-keys", headers=bearer)).json()["keys"]
    accounts = await api.app.state.api.accounts.get()
    await accounts.revoke_key(key["key_id"], actor())
    assert await translate(api, first) == 401
    second = (await token(api, **PAGE)).json()["access_token"]
    assert await translate(api, second) == 200


def actor():
    from speech_translator.security.audit_trail import Actor

    return Actor("test", "", "")


# Rotation


async def rotate(harness, key_id, key, body=None):
    path = f"/auth/api-key/{key_id}/rotate"
    return await harness.client.post(path, json=body, headers={"X-API-Key": key})


async def test_a_key_is_replaced_and_goes_on_for_the_overlap(api):
    made = await make(api, scopes=["translate"], expires_in_days=7, name="robot")
    answer = await rotate(api, made["key_id"], made["api_key"], {"overlap_hours": 1})
    assert answer.status_code == 201
    new = answer.json()
    assert new["key_id"] != made["key_id"]
    for same in ("user_id", "tier", "scopes", "name", "expires_at"):
        assert new[same] == made[same]
    assert await translate(api, made["api_key"]) == 200
    assert await translate(api, new["api_key"]) == 200
    listed = await api.client.get("/auth/api-keys", headers={"X-API-Key": new["api_key"]})
    old = next(key for key in listed.json()["keys"] if key["key_id"] == made["key_id"])
    assert old["replaced_by"] == new["key_id"]
    assert old["expires_at"] == pytest.approx(new["created_at"] + 3600, abs=0.002)
    again = await rotate(api, made["key_id"], made["api_key"])
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


async def test_without_an_overlap_the_old_key_is_over_at_once(api):
    made = await make(api)
    new = (await rotate(api, made["key_id"], made["api_key"], {"overlap_hours": 0})).json()
    assert await translate(api, made["api_key"]) == 401
    assert await translate(api, new["api_key"]) == 200


@pytest.mark.parametrize("hours", [-1, 721, "1", None])
async def test_an_overlap_that_cannot_be_is_refused(api, hours):
    made = await make(api)
    answer = await rotate(api, made["key_id"], made["api_key"], {"overlap_hours": hours})
    assert (answer.status_code, answer.json()["field"]) == (422, "overlap_hours")


async def close(api, key_id, key):
    return await api.client.delete(f"/auth/api-key/{key_id}", headers={"X-API-Key": key})


async def test_a_key_is_not_rotated_by_a_smaller_one_or_by_a_stranger(api):
    big = await make(api)
    narrow = await make(api, scopes=["translate"])
    poor = await make(api, tier="free")
    stranger = await make(api, user_id="eve")
    for key in (narrow, poor):
        answer = await rotate(api, big["key_id"], key["api_key"])
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await rotate(api, big["key_id"], stranger["api_key"])).status_code == 404
    assert (await rotate(api, "unknown", big["api_key"])).status_code == 404
    assert (await rotate(api, narrow["key_id"], big["api_key"])).status_code == 201


async def test_a_key_is_closed_by_itself_and_by_none_that_opens_less(api):
    big, equal = await make(api), await make(api)
    narrow = await make(api, scopes=["translate"])
    poor = await make(api, tier="free")
    for key in (narrow, poor):
        answer = await close(api, big["key_id"], key["api_key"])
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await close(api, narrow["key_id"], narrow["api_key"])).status_code == 204
    assert (await close(api, poor["key_id"], big["api_key"])).status_code == 204
    assert (await close(api, big["key_id"], equal["api_key"])).status_code == 204
