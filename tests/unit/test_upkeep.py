"""Last uses, old keys and retention: what is done when, and what a dead database changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from speech_translator.errors import StoreUnavailable
from speech_translator.security.upkeep import (
    DAY_MS,
    Forgotten,
    OldKeysFound,
    OldKeyUsed,
    Upkeep,
    UpkeepConfig,
    UpkeepEvent,
    UpkeepFailed,
)
from speech_translator.storage.keys import OldKeys

START = 20_000 * DAY_MS


class Keys:
    """A store of keys that knows old ones, and that can be down."""

    def __init__(self) -> None:
        self.touched: list[dict[str, int]] = []
        self.old: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.down = False
        self.broken = False

    async def touch(self, used: dict[str, int]) -> None:
        if self.broken:
            raise ValueError
        if self.down:
            raise StoreUnavailable("down")
        self.touched.append(dict(used))

    async def over_age(self, **asked: Any) -> OldKeys:
        if self.down:
            raise StoreUnavailable("down")
        self.asked.append(asked)
        ids = asked["ids"]
        found = tuple(key for key in self.old if ids is None or key in ids)
        return OldKeys(len(found), found)


class Uses:
    def __init__(self) -> None:
        self.used: dict[str, int] = {}

    def take_used(self) -> dict[str, int]:
        used, self.used = self.used, {}
        return used

    def put_back(self, used: Any) -> None:
        self.used = {**used, **self.used}


class World:
    """An upkeep whose clock stands still."""

    def __init__(self, **config: Any) -> None:
        self.now = START
        self.keys, self.uses = Keys(), Uses()
        self.events: list[UpkeepEvent] = []
        self.swept: list[tuple[str, int]] = []
        self.failing: set[str] = set()
        self.upkeep = Upkeep(
            self.keys,  # type: ignore[arg-type]
            self.uses,
            {"audit": self.sweep("audit"), "keys": self.sweep("keys")},
            UpkeepConfig(**config),
            often={"erasures": self.sweep("erasures")},
            listener=self.events.append,
            clock=lambda: self.now,
            chance=lambda: 0.5,
        )

    def sweep(self, name: str) -> Any:
        async def work(now: int) -> int:
            if name in self.failing:
                raise StoreUnavailable("down")
            self.swept.append((name, now))
            return 3 if name == "keys" else 0

        return work

    async def pass_s(self, seconds: float) -> None:
        self.now += round(1000 * seconds)
        await self.upkeep.step()

    def told(self, kind: type[UpkeepEvent]) -> list[UpkeepEvent]:
        return [event for event in self.events if isinstance(event, kind)]


async def test_last_uses_are_written_down_each_time() -> None:
    world = World()
    world.uses.used = {"k1": 5}
    await world.upkeep.step()
    await world.pass_s(30)
    world.uses.used = {"k1": 9, "k2": 7}
    await world.pass_s(30)
    assert world.keys.touched == [{"k1": 5}, {"k1": 9, "k2": 7}]


async def test_a_database_that_is_away_keeps_them_for_later() -> None:
    world = World()
    world.keys.down = True
    world.uses.used = {"k1": 5, "k2": 5}
    await world.upkeep.step()
    assert UpkeepFailed("last_use") in world.events
    world.uses.used["k1"] = 8
    world.keys.down = False
    await world.pass_s(30)
    assert world.keys.touched == [{"k1": 8, "k2": 5}]


async def test_the_last_ones_are_written_down_at_the_end() -> None:
    world = World()
    async with world.upkeep.running():
        world.uses.used = {"k1": 5}
    assert world.keys.touched[-1] == {"k1": 5}


async def test_old_keys_are_counted_often_and_warned_of_once_a_day() -> None:
    world = World(key_max_age_days=7)
    world.keys.old = ["k1", "k2"]
    await world.upkeep.step()
    for _ in range(143):
        await world.pass_s(600)
    found = world.told(OldKeysFound)
    assert len(found) == 144
    assert found[0] == OldKeysFound(2, ("k1", "k2"), daily=True)
    assert [event.daily for event in found[1:]] == [False] * 143  # type: ignore[union-attr]
    await world.pass_s(600)
    assert world.told(OldKeysFound)[-1] == OldKeysFound(2, ("k1", "k2"), daily=True)
    assert world.keys.asked[0] == {
        "created_before": START - 7 * DAY_MS,
        "now_ms": START,
        "ids": None,
    }


async def test_an_old_key_that_is_used_is_told_once_a_day() -> None:
    world = World()
    world.keys.old = ["k1"]
    for _ in range(3):
        world.uses.used = {"k1": 5, "young": 5}
        await world.pass_s(30)
    assert world.told(OldKeyUsed) == [OldKeyUsed("k1")]
    world.uses.used = {"k1": 6}
    await world.pass_s(24 * 3600)
    assert world.told(OldKeyUsed) == [OldKeyUsed("k1")] * 2


async def test_what_is_over_goes_every_hour_or_so_and_not_at_the_start() -> None:
    world = World()
    await world.upkeep.step()
    assert world.swept == [("erasures", START)]
    await world.pass_s(300)  # half of the first spread
    assert [name for name, _ in world.swept[1:]] == ["erasures", "audit", "keys"]
    assert world.told(Forgotten) == [Forgotten("keys", 3)]
    await world.pass_s(3599)
    assert len(world.told(Forgotten)) == 1
    await world.pass_s(1)
    assert len(world.told(Forgotten)) == 2


async def test_one_that_fails_keeps_no_other_from_it() -> None:
    world = World()
    world.failing = {"audit"}
    await world.pass_s(600)
    assert UpkeepFailed("audit") in world.events
    assert ("keys", world.now) in world.swept


@pytest.mark.parametrize("field", ["audit_days", "key_days", "usage_days", "key_max_age_days"])
def test_the_settings_have_the_same_defaults(field: str) -> None:
    from speech_translator.settings import Settings

    names = {
        "audit_days": "audit_retention_days",
        "key_days": "key_retention_days",
        "usage_days": "usage_retention_days",
    }
    default = Settings.model_fields[names.get(field, field)].default
    assert getattr(UpkeepConfig(), field) == default


async def test_a_fault_of_ours_is_told_and_ends_nothing() -> None:
    world = World(flush_s=0.0)
    told: list[dict[str, Any]] = []
    failed = asyncio.Event()

    def tell(_loop: object, context: dict[str, Any]) -> None:
        told.append(context)
        failed.set()

    asyncio.get_running_loop().set_exception_handler(tell)
    world.keys.broken = True
    world.uses.used = {"k1": 1}
    async with world.upkeep.running():
        await failed.wait()
        world.keys.broken = False
        for _ in range(20):
            await asyncio.sleep(0)
        assert world.keys.touched == [{"k1": 1}]
    assert isinstance(told[0]["exception"], ValueError)
