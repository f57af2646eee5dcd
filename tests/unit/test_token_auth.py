"""From tokens to principals: they end with their key, when they are closed, and with their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import jwt
import pytest

from speech_translator.errors import StoreUnavailable, Unauthenticated
from speech_translator.security.api_keys import generate
from speech_translator.security.auth import AuthConfig, KeyAuthenticator
from speech_translator.security.scopes import Principal, Scope
from speech_translator.security.tiers import TierName
from speech_translator.security.token_auth import (
    ACCEPTED_AFTER_MS,
    SIGNS_FOR_MS,
    TokenAuthenticator,
)
from speech_translator.storage import KeyRecord, SealedKey, TokenState

PEPPER = b"pepper" * 6
KEY = generate()
RECORD = KeyRecord(
    id=KEY.id,
    owner="ada",
    name="",
    tier="pro",
    scopes=frozenset({"translate", "stream"}),
    digest=KEY.digest(PEPPER),
    created_at=0,
)
WHO = Principal("ada", KEY.id, TierName.PRO, frozenset({Scope.TRANSLATE, Scope.STREAM}))


class Store:
    """Keys and tokens of all replicas, in memory."""

    def __init__(self) -> None:
        self.records: dict[str, KeyRecord] = {RECORD.id: RECORD}
        self.keys: tuple[SealedKey, ...] = ()
        self.revoked: set[str] = set()
        self.down = False
        self.asked = 0

    async def get(self, key_id: str) -> KeyRecord | None:
        self._answer()
        return self.records.get(key_id)

    async def state(self) -> TokenState:
        self._answer()
        return TokenState(self.keys, frozenset(self.revoked))

    async def change_keys(
        self, change: Callable[[Sequence[SealedKey]], Sequence[SealedKey]]
    ) -> tuple[SealedKey, ...]:
        self._answer()
        self.keys = tuple(change(self.keys))
        return self.keys

    async def revoke(self, jti: str, *, expires_at: int, now_ms: int, entry: object = None) -> None:
        assert expires_at > now_ms
        self._answer()
        self.revoked.add(jti)

    def _answer(self) -> None:
        self.asked += 1
        if self.down:
            raise StoreUnavailable("down")


class World:
    """Replicas over one store; their clocks stand still."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.store = Store()

    def replica(self, *peppers: bytes) -> TokenAuthenticator:
        auth = AuthConfig(peppers or (PEPPER,))
        clocks = {"clock": lambda: self.now, "wall_clock": lambda: int(self.now * 1000)}
        keys = KeyAuthenticator(self.store, auth, **clocks)  # type: ignore[arg-type]
        return TokenAuthenticator(self.store, keys, auth, **clocks)  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    return World()


async def enters(replica: TokenAuthenticator, text: str) -> bool:
    try:
        await replica.authenticate(text)
    except Unauthenticated:
        return False
    return True


async def test_a_token_says_who_asks_on_every_replica(world: World) -> None:
    text = await world.replica().issue(WHO, frozenset({Scope.STREAM}))
    found = await world.replica().authenticate(text)
    jti = jwt.decode(text, options={"verify_signature": False})["jti"]
    assert found == replace(WHO, scopes=frozenset({Scope.STREAM}), token_id=jti)


async def test_a_token_opens_no_more_than_its_key_does_today(world: World) -> None:
    replica = world.replica()
    text = await replica.issue(WHO)
    world.store.records[KEY.id] = replace(RECORD, scopes=frozenset({"translate"}), tier="free")
    found = await world.replica().authenticate(text)
    assert (found.scopes, found.tier) == ({Scope.TRANSLATE}, TierName.FREE)


@pytest.mark.parametrize(
    "change",
    [{"revoked_at": 1}, {"expires_at": 1}, {"owner": "eve"}, None],
    ids=["revoked", "over", "another's", "gone"],
)
async def test_a_token_ends_with_its_key(world: World, change: dict[str, object] | None) -> None:
    replica = world.replica()
    text = await replica.issue(WHO)
    assert await enters(replica, text)
    if change is None:
        del world.store.records[KEY.id]
    else:
        world.store.records[KEY.id] = replace(RECORD, **change)  # type: ignore[arg-type]
    world.now += 5
    assert not await enters(replica, text)


async def test_a_token_ends_with_its_time(world: World) -> None:
    replica = world.replica()
    text = await replica.issue(WHO)
    world.now += 599
    assert await enters(replica, text)
    world.now += 4
    assert not await enters(replica, text)


async def test_a_closed_token_opens_nothing_here_at_once_and_elsewhere_soon(world: World) -> None:
    here, there = world.replica(), world.replica()
    text, other = await here.issue(WHO), await here.issue(WHO)
    assert await enters(there, text)
    await here.revoke(text)
    assert not await enters(here, text)
    assert await enters(there, text)
    world.now += 5
    assert not await enters(there, text)
    assert await enters(there, other)
    with pytest.raises(Unauthenticated):
        await here.revoke(text)


async def test_a_replica_finds_the_new_key_of_another_and_strangers_do_not_make_it_ask(
    world: World,
) -> None:
    here, there = world.replica(), world.replica()
    old = await here.issue(WHO)
    assert await enters(there, old)
    world.now += SIGNS_FOR_MS / 1000 - 2
    assert not await enters(there, old)  # it looks the keys up: they are today's still
    world.now += 2
    new = await here.issue(WHO)
    assert await enters(there, new)
    asked = world.store.asked
    for _ in range(50):
        assert not await enters(there, jwt.encode({}, "x" * 32, headers={"kid": "nobody's"}))
    assert world.store.asked - asked <= 1


async def test_a_retired_key_is_forgotten(world: World) -> None:
    replica = world.replica()
    await replica.issue(WHO)
    (first,) = world.store.keys
    world.now += SIGNS_FOR_MS / 1000
    assert len((await replica.jwks())["keys"]) == 2
    world.now += ACCEPTED_AFTER_MS / 1000
    (left,) = (await replica.jwks())["keys"]
    assert left["kid"] != first.kid
    assert "d" not in left


async def test_replicas_with_different_secrets_keep_each_others_keys(world: World) -> None:
    here, there = world.replica(PEPPER), world.replica(b"another" * 6)
    mine, theirs = await here.issue(WHO), await there.issue(WHO)
    assert len(world.store.keys) == 2
    world.now += 5
    assert await enters(here, mine)
    assert not await enters(here, theirs)
    assert await enters(world.replica(b"another" * 6, PEPPER), theirs)
    assert len(world.store.keys) == 2


async def test_an_outage_is_bridged_for_a_minute(world: World) -> None:
    replica = world.replica()
    text = await replica.issue(WHO)
    assert await enters(replica, text)
    world.store.down = True
    world.now += 59
    assert await enters(replica, text)
    world.now += 2
    with pytest.raises(StoreUnavailable):
        await replica.authenticate(text)


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 10_000, "é.é.é"])
async def test_what_is_no_token_asks_nobody(world: World, text: str) -> None:
    assert not await enters(world.replica(), text)
    assert world.store.asked == 0


async def test_a_client_secret_confines_its_holder_ends_with_its_key_and_can_be_closed(
    world: World,
) -> None:
    replica = world.replica()
    text, ends = await replica.issue_secret(WHO, '{"model": "m"}', 7200)
    assert ends == world.now + 7200
    found = await world.replica().authenticate(text)
    assert (found.scopes, found.confined) == ({Scope.STREAM}, True)
    assert await world.replica().session_of(text) == '{"model": "m"}'
    token = await replica.issue(WHO)
    assert not (await replica.authenticate(token)).confined
    assert await replica.session_of(token) is None
    assert await replica.session_of(KEY.text) is None
    other, _ = await replica.issue_secret(WHO, "{}", 600)
    await replica.revoke(other)
    assert (await enters(replica, other), await enters(replica, text)) == (False, True)
    world.store.records[KEY.id] = replace(RECORD, revoked_at=1)
    assert not await enters(world.replica(), text)
