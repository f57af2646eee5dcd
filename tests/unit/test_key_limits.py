"""A key's own limits: beside its owner's in one step, never above them, and not begun anew."""

from __future__ import annotations

import json

import pytest

from speech_translator.errors import InvalidField
from speech_translator.security.key_limits import LARGEST, KeyLimits, parse_limits
from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.rate_limiter import RateLimiter
from speech_translator.security.scopes import USUAL_SCOPES, Principal
from speech_translator.security.tiers import TierName, load_tiers
from tests.support.api import running

LOCAL = {"host": "localhost:8000"}
RECORDING = {"file": ("a.wav", b"RIFF....WAVE")}


def key_of_ada(name: str, **limits: int) -> Principal:
    own = KeyLimits(**limits) if limits else None
    return Principal("ada", name, TierName.FREE, USUAL_SCOPES, limits=own)


class World:
    def __init__(self) -> None:
        store = MemoryLimitStore(clock=lambda: 1_800_000_000_000_000)
        self.limiter = RateLimiter(store, load_tiers())

    async def passes(self, key: Principal) -> list[str]:
        """What was in the way."""
        decision = await self.limiter.admit("owner:ada", TierName.FREE, "work", key)
        return [standing.policy.name for standing in decision.violated]


async def test_both_the_keys_and_the_owners_limits_hold() -> None:
    world = World()
    small, wide, plain = (
        key_of_ada("k1", requests_per_minute=3),
        key_of_ada("k2", requests_per_minute=1000),
        key_of_ada("k3"),
    )
    assert [await world.passes(small) for _ in range(3)] == [[], [], []]
    assert await world.passes(small) == ["key-requests-minute"]
    assert [await world.passes(wide) for _ in range(4)] == [[]] * 4
    assert [await world.passes(plain) for _ in range(3)] == [[]] * 3
    assert await world.passes(wide) == ["requests-minute"]
    assert await world.passes(small) == ["requests-minute", "key-requests-minute"]


async def test_what_a_key_is_refused_takes_nothing_of_its_owner() -> None:
    world = World()
    small = key_of_ada("k1", requests_per_day=1)
    for _ in range(30):
        await world.passes(small)
    left = await world.limiter.standing("owner:ada", TierName.FREE, small)
    assert [(one.policy.name, one.remaining) for one in left.standings] == [
        ("requests-minute", 9),
        ("requests-day", 999),
        ("key-requests-day", 0),
    ]


async def test_a_request_is_given_back_to_both() -> None:
    world = World()
    small = key_of_ada("k1", requests_per_minute=1)
    assert await world.passes(small) == []
    await world.limiter.give_back("owner:ada", TierName.FREE, "work", small)
    assert await world.passes(small) == []


@pytest.mark.parametrize(
    "values",
    [{"requests": 5}, {"requests_per_minute": 0}, {"requests_per_day": -1},
     {"characters_per_month": LARGEST["characters_per_month"] + 1}],
)  # fmt: skip
def test_what_is_no_limit_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(InvalidField):
        parse_limits(values)


def test_no_limits_are_none() -> None:
    assert parse_limits({}) is None
    assert parse_limits({"requests_per_day": 7}) == KeyLimits(requests_per_day=7)


# Over the API


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path / "data", anonymous_tier=None) as harness:
        yield harness


async def make(harness, **fields):
    body = {"user_id": "ann", "tier": "free", **fields}
    return await harness.client.post("/auth/api-key", content=json.dumps(body), headers=LOCAL)


async def translate(harness, key, text="Hello."):
    body = {"text": text, "source_language": "en", "target_language": "pt"}
    headers = {"X-API-Key": key}
    return await harness.client.post("/translate/text", json=body, headers=headers)


async def test_a_key_is_made_with_limits_that_are_shown_and_kept_by_rotation(api):
    made = (await make(api, limits={"requests_per_minute": 2})).json()
    assert made["limits"] == {"requests_per_minute": 2}
    statuses = [(await translate(api, made["api_key"])).status_code for _ in range(2)]
    refused = await translate(api, made["api_key"])
    assert [*statuses, refused.status_code] == [200, 200, 429]
    assert [one["policy"] for one in refused.json()["violated"]] == ["key-requests-minute"]
    assert '"key-requests-minute";q=2;w=60' in refused.headers["ratelimit-policy"]
    headers = {"X-API-Key": made["api_key"]}
    path = f"/auth/api-key/{made['key_id']}/rotate"
    for _ in range(2):
        new = (await api.client.post(path, headers=headers)).json()
        assert new["limits"] == {"requests_per_minute": 2}
        assert (await translate(api, new["api_key"])).status_code == 429
        path, headers = (
            f"/auth/api-key/{new['key_id']}/rotate",
            {"X-API-Key": new["api_key"]},
        )
    other = (await make(api)).json()
    assert other["limits"] == {}
    assert (await translate(api, other["api_key"])).status_code == 200


async def test_amounts_are_limited_by_key_too_and_a_token_is_its_key(api):
    limits = {"characters_per_month": 10, "audio_minutes_per_month": 1}
    made = (await make(api, limits=limits)).json()
    headers = {"X-API-Key": made["api_key"]}
    token = (await api.client.post("/auth/token", headers=headers)).json()["access_token"]
    assert (await translate(api, made["api_key"])).status_code == 200
    for credential in (made["api_key"], token):
        refused = await translate(api, credential, "Goodbye.")
        assert refused.status_code == 429
        assert [one["policy"] for one in refused.json()["violated"]] == ["key-characters-month"]
    standing = (await api.client.get("/usage", headers=headers)).json()["limits"]
    left = {one["name"]: one["remaining"] for one in standing}
    assert (left["key-characters-month"], left["key-audio-month"]) == (4, 60)
    api.decoders.seconds = 61.0
    answer = await api.client.post("/transcribe/audio", files=RECORDING, headers=headers)
    assert answer.status_code == 429


async def test_what_a_key_used_outlives_a_restart_and_its_rotation(tmp_path):
    options = {"data_dir": tmp_path, "anonymous_tier": None}
    async with running(**options) as api:
        made = (await make(api, limits={"characters_per_month": 10})).json()
        headers = {"X-API-Key": made["api_key"]}
        assert (await translate(api, made["api_key"])).status_code == 200
        path = f"/auth/api-key/{made['key_id']}/rotate"
        new = (await api.client.post(path, headers=headers)).json()
        assert (await translate(api, new["api_key"], "Goodbye.")).status_code == 429
    async with running(**options) as api:
        assert (await translate(api, new["api_key"], "Goodbye.")).status_code == 429
        assert (await translate(api, new["api_key"], "Bye.")).status_code == 200


@pytest.mark.parametrize(
    "limits",
    [{"requests_per_minute": 0}, {"requests_per_hour": 1}, {"requests_per_day": "5"}, 5,
     {"requests_per_minute": 10**7}],
)  # fmt: skip
async def test_limits_that_cannot_be_are_refused(api, limits):
    answer = await make(api, limits=limits)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
