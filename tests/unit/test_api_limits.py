"""The door of every route: a key, its limits, and what the answer says of them."""

import json

import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.rate_limiter import REFUSED
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}
TEXT = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
RECORDING = {"file": ("a.wav", b"RIFF....WAVE")}
WORK = {
    "/translate/text": {"json": TEXT},
    "/transcribe/audio": {"files": RECORDING},
    "/translate/speech": {"files": RECORDING, "data": {"target_language": "pt"}},
}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def key_of(harness, **fields):
    body = {"user_id": "ann", "tier": "free", **fields}
    answer = await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)
    return {"X-API-Key": answer.json()["api_key"]}


async def ask(harness, headers=None, path="/translate/text"):
    return await harness.client.post(path, headers=headers, **WORK[path])


@pytest.mark.parametrize("path", WORK)
async def test_work_needs_a_key(api, path):
    answer = await ask(api, path=path)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await ask(api, await key_of(api), path)).status_code == 200
    assert len(api.decoders.seen) == (path != "/translate/text")


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/languages", "/voices", "/models", "/openapi.json", "/"]
)
async def test_what_is_the_same_for_everybody_needs_none(api, path):
    assert (await api.client.get(path)).status_code == 200


async def test_a_body_is_not_read_before_the_key_is_known(api):
    async def body():
        raise AssertionError("the body was read")
        yield b""

    answer = await api.client.post("/translate/text", content=body())
    assert answer.status_code == 401


async def test_the_limit_of_a_tier_is_told_and_held(api):
    headers = await key_of(api)
    answers = [await ask(api, headers) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[0].headers["ratelimit-policy"] == (
        '"requests-minute";q=10;w=60, "requests-day";q=1000;w=86400, '
        '"characters-minute";q=10000;w=60, "characters-month";q=500000;w=2592000'
    )
    assert answers[0].headers["x-ratelimit-remaining"] == "9"
    assert '"requests-day";r=999' in answers[0].headers["ratelimit"]
    refused = answers[-1]
    assert refused.json()["code"] == "limit_exceeded"
    (violated,) = refused.json()["violated"]
    assert (violated["policy"], violated["limit"]) == ("requests-minute", 10)
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert refused.headers["x-ratelimit-remaining"] == "0"


async def test_keys_of_one_owner_share_and_others_are_not_touched(api):
    first, second = await key_of(api), await key_of(api)
    stranger = await key_of(api, user_id="eve")
    answers = [await ask(api, key) for key in [first, second] * 5]
    assert [answer.status_code for answer in answers] == [200] * 10
    assert [(await ask(api, key)).status_code for key in (first, second)] == [429, 429]
    assert (await ask(api, stranger)).status_code == 200


async def test_what_the_scope_refuses_costs_nothing(api):
    headers = await key_of(api, scopes=["stream"])
    answers = [await ask(api, headers) for _ in range(15)]
    assert {answer.status_code for answer in answers} == {403}


async def test_looking_after_keys_takes_nothing_of_the_work(api):
    headers = await key_of(api)
    for _ in range(15):
        listed = await api.client.get("/auth/api-keys", headers=headers)
        assert listed.status_code == 200
    assert listed.headers["ratelimit-policy"] == '"account-minute";q=120;w=60'
    assert (await ask(api, headers)).headers["x-ratelimit-remaining"] == "9"


async def test_refusals_are_limited_by_address_and_harm_no_key(api):
    headers = await key_of(api)
    codes = [
        (await ask(api, {"X-API-Key": "nonsense"} if number % 2 else None)).status_code
        for number in range(REFUSED.limit + 1)
    ]
    assert codes == [401] * REFUSED.limit + [429]
    assert (await ask(api, headers)).status_code == 200


async def test_without_a_key_an_address_has_the_limits_that_the_operator_gave(tmp_path):
    async with running(data_dir=tmp_path, anonymous_tier="free") as harness:
        answers = [await ask(harness) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert (await ask(harness, {"X-API-Key": "nonsense"})).status_code == 401
        assert (await harness.client.get("/auth/api-keys")).status_code == 401
        assert (await harness.client.post("/auth/token")).status_code == 401
        assert (await ask(harness, await key_of(harness))).status_code == 200


async def test_the_operators_own_limits_stand_over_the_built_in_ones(tmp_path):
    file = tmp_path / "tiers.toml"
    file.write_text("[free]\nrequests_per_minute = 2\n")
    options = {"data_dir": tmp_path, "anonymous_tier": None}
    async with running(tiers_file=file, **options) as harness:
        headers = await key_of(harness)
        assert [(await ask(harness, headers)).status_code for _ in range(3)] == [200, 200, 429]
    file.write_text("[gold]\n")
    with pytest.raises(ConfigurationError, match="no tier 'gold'"):
        async with running(tiers_file=file, **options):
            pass
