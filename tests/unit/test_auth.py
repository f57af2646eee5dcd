"""From keys to principals: what is let in, what is cached, what a dead database changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from speech_translator.errors import (
    ConfigurationError,
    Forbidden,
    InvalidField,
    StoreUnavailable,
    Unauthenticated,
)
from speech_translator.security.accounts import open_accounts
from speech_translator.security.api_keys import ApiKey, generate
from speech_translator.security.auth import AuthConfig, KeyAuthenticator
from speech_translator.security.scopes import Principal, Scope, parse_scopes
from speech_translator.security.tiers import TierName
from speech_translator.storage import KeyRecord

PEPPER, OLD_PEPPER = b"pepper" * 6, b"before" * 6
KEY = generate()
RECORD = KeyRecord(
    id=KEY.id,
    owner="ada",
    name="laptop",
    tier="pro",
    scopes=frozenset({"translate"}),
    digest=KEY.digest(PEPPER),
    created_at=0,
)


@dataclass
class Keys:
    """A store that counts, and that can be slow, changed and down."""

    records: dict[str, KeyRecord] = field(default_factory=lambda: {RECORD.id: RECORD})
    asked: list[str] = field(default_factory=list)
    down: bool = False
    gate: asyncio.Event | None = None

    async def get(self, key_id: str) -> KeyRecord | None:
        self.asked.append(key_id)
        found = self.records.get(key_id)
        if self.gate:
            await self.gate.wait()
        if self.down:
            raise StoreUnavailable("down")
        return found


class World:
    """An authenticator whose clocks stand still."""

    def __init__(self, **config: object) -> None:
        self.now = 1000.0
        self.keys = Keys()
        self.auth = KeyAuthenticator(
            self.keys,
            AuthConfig((PEPPER, OLD_PEPPER), **config),  # type: ignore[arg-type]
            clock=lambda: self.now,
            wall_clock=lambda: int(self.now * 1000),
        )

    async def enters(self, key: ApiKey = KEY) -> bool:
        try:
            await self.auth.authenticate(key.text)
        except Unauthenticated:
            return False
        return True


async def test_a_key_says_who_asks() -> None:
    who = await World().auth.authenticate(KEY.text)
    assert who == Principal("ada", KEY.id, TierName.PRO, frozenset({Scope.TRANSLATE}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        KEY.text[:-1] + ("A" if KEY.text[-1] != "A" else "B"),
        ApiKey(KEY.id, generate().secret).text,
        ApiKey(generate().id, KEY.secret).text,
    ],
    ids=["none", "nonsense", "checksum", "secret", "id"],
)
async def test_every_refusal_is_the_same(text: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await World().auth.authenticate(text)
    assert caught.value.message.startswith("A valid API key")
    assert caught.value.details == {}


async def test_a_typo_costs_no_look_up() -> None:
    world = World()
    with pytest.raises(Unauthenticated):
        await world.auth.authenticate(KEY.text[:-1])
    assert world.keys.asked == []


@pytest.mark.parametrize("changes", [{"revoked_at": 1}, {"expires_at": 1_000_000}])
async def test_a_key_that_is_revoked_or_over_opens_nothing(changes: dict[str, int]) -> None:
    world = World()
    world.keys.records[KEY.id] = replace(RECORD, **changes)  # type: ignore[arg-type]
    assert not await world.enters()


async def test_a_key_ends_on_time_even_when_it_is_cached() -> None:
    world = World()
    world.keys.records[KEY.id] = replace(RECORD, expires_at=1_001_000)
    assert await world.enters()
    world.now += 1
    assert not await world.enters()
    assert len(world.keys.asked) == 1


async def test_an_older_pepper_is_accepted() -> None:
    world = World()
    world.keys.records[KEY.id] = replace(RECORD, digest=KEY.digest(OLD_PEPPER))
    assert await world.enters()
    world.keys.records[KEY.id] = replace(RECORD, digest=KEY.digest(b"never used"))
    world.auth.forget(KEY.id)
    assert not await world.enters()


async def test_a_revocation_is_felt_within_the_cache_and_at_once_when_told() -> None:
    world = World()
    assert await world.enters()
    world.keys.records[KEY.id] = replace(RECORD, revoked_at=1)
    world.now += 4.9
    assert await world.enters()
    world.now += 0.1
    assert not await world.enters()
    world.keys.records[KEY.id] = RECORD
    world.auth.forget_all()
    assert await world.enters()
    world.keys.records[KEY.id] = replace(RECORD, revoked_at=1)
    world.auth.forget(KEY.id)
    assert not await world.enters()


async def test_a_look_up_that_a_revocation_overtakes_is_not_kept() -> None:
    world = World()
    world.keys.gate = asyncio.Event()
    entering = asyncio.create_task(world.enters())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.keys.asked
    world.keys.records[KEY.id] = replace(RECORD, revoked_at=1)
    world.auth.forget(KEY.id)
    world.keys.gate.set()
    assert await entering  # it was asked before
    assert not await world.enters()


async def test_who_comes_after_a_revocation_does_not_wait_for_a_look_up_from_before_it() -> None:
    world = World()
    world.keys.gate = asyncio.Event()
    before = asyncio.create_task(world.enters())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.keys.records[KEY.id] = replace(RECORD, revoked_at=1)
    world.auth.forget(KEY.id)
    after = asyncio.create_task(world.enters())
    await asyncio.sleep(0)
    world.auth.forget_all()
    last = asyncio.create_task(world.enters())
    await asyncio.sleep(0)
    world.keys.gate.set()
    assert [await before, await after, await last] == [True, False, False]
    assert len(world.keys.asked) == 3


async def test_many_requests_by_one_key_look_it_up_once() -> None:
    world = World()
    world.keys.gate = asyncio.Event()
    entering = [asyncio.create_task(world.enters()) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    entering[0].cancel()
    world.keys.gate.set()
    answers = await asyncio.gather(*entering, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [True] * 49
    assert len(world.keys.asked) == 1


async def test_without_the_database_only_keys_that_were_seen_lately_go_on() -> None:
    world = World()
    assert await world.enters()
    world.keys.down = True
    world.now += 59.9
    assert await world.enters()
    with pytest.raises(StoreUnavailable):
        await world.enters(generate())
    world.now += 0.1
    with pytest.raises(StoreUnavailable):
        await world.enters()
    world.keys.down = False
    assert await world.enters()


async def test_unknown_ids_are_remembered_but_drive_out_no_known_one() -> None:
    world = World(max_cached=5)
    assert await world.enters()
    stranger = generate()
    for _ in range(3):
        assert not await world.enters(stranger)
    assert world.keys.asked.count(stranger.id) == 1
    for _ in range(20):
        assert not await world.enters(generate())
    world.keys.asked.clear()
    assert await world.enters()
    assert world.keys.asked == []


async def test_the_last_use_is_told_once() -> None:
    world = World()
    await world.enters()
    world.now += 1
    await world.enters()
    assert world.auth.take_used() == {KEY.id: 1_001_000}
    assert world.auth.take_used() == {}


def test_a_principal_opens_what_its_scopes_say() -> None:
    who = Principal("ada", "k", TierName.FREE, frozenset({Scope.TRANSLATE}))
    who.require(Scope.TRANSLATE)
    with pytest.raises(Forbidden) as caught:
        who.require(Scope.STREAM)
    assert caught.value.details == {"scope": "stream"}
    assert who.owns("ada")
    assert not who.owns("eve")
    admin = replace(who, scopes=frozenset({Scope.ADMIN}))
    admin.require(Scope.METRICS)
    assert admin.owns("eve")


def test_scopes_are_read_by_name() -> None:
    assert parse_scopes(["stream", "admin"]) == {Scope.STREAM, Scope.ADMIN}
    with pytest.raises(InvalidField, match="translate, transcribe"):
        parse_scopes(["root"])


@pytest.mark.parametrize("peppers", [[], [b""], [b"x" * 32, b"x" * 31]])
async def test_accounts_do_not_open_without_a_secret(tmp_path, peppers) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        async with open_accounts(f"sqlite:///{tmp_path}/a.db", peppers):
            pass
    assert not list(tmp_path.iterdir())
