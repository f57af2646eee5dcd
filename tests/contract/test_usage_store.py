"""Usage: the same sums on SQLite and on PostgreSQL, whatever comes twice or at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from speech_translator.errors import StoreUnavailable
from speech_translator.storage import Database, DatabaseConfig, KeyRecord, KeyStore, usage
from speech_translator.storage.usage import Period, Totals, UsageLine, UsageRow, UsageStore

DAY, NEXT, LATER = "2026-11-28", "2026-11-29", "2026-12-01"
ALL = {"first": "0000-00-00", "last": "9999-99-99"}


def row(
    day: str = DAY, owner: str = "ada", key: str = "k1", operation: str = "translate", n: int = 1
) -> UsageRow:
    return UsageRow(day, owner, key, operation, Totals(n, 10 * n, 1000 * n))


async def test_a_segment_counts_once(database: Database) -> None:
    store = UsageStore(database)
    assert await store.apply("s1", [row(n=2), row(operation="speech")], 5)
    assert not await store.apply("s1", [row(n=100)], 6)
    assert await store.apply("s2", [row(n=3)], 7)
    assert await store.totals(owner="ada", **ALL) == Totals(6, 60, 6000)


async def test_many_at_once_lose_nothing_and_count_nothing_twice(database_url: str) -> None:
    databases = [Database(DatabaseConfig(database_url, timeout_s=30)) for _ in range(3)]
    from speech_translator.storage.migrate import upgrade

    await upgrade(databases[0])
    stores = [UsageStore(each) for each in databases]
    segments = [f"s{number % 20}" for number in range(60)]  # each is brought three times
    rows = [row(owner="ada"), row(owner="eve"), row(key="k2")]
    outcomes = await asyncio.gather(
        *(stores[number % 3].apply(name, rows, 1) for number, name in enumerate(segments))
    )
    assert sum(outcomes) == 20
    assert await stores[0].totals(**ALL) == Totals(60, 600, 60_000)
    assert await stores[0].totals(key_id="k2", **ALL) == Totals(20, 200, 20_000)
    for each in databases:
        await each.close()


async def test_a_failure_in_the_middle_leaves_nothing(database: Database) -> None:
    store = UsageStore(database)
    with pytest.raises(StoreUnavailable):
        await store.apply("s1", [row(), replace(row("9"), used=Totals(None))], 1)  # type: ignore[arg-type]
    assert await store.totals(**ALL) == Totals()
    assert await store.apply("s1", [row()], 1)


async def test_totals_are_of_days_owners_and_keys(database: Database) -> None:
    store = UsageStore(database)
    await store.apply("s1", [row(), row(NEXT, n=2), row(LATER, n=4), row(owner="eve", n=8)], 1)
    assert (await store.totals(owner="ada", first=DAY, last=DAY)).requests == 1
    assert (await store.totals(owner="ada", first="2026-11-01", last="2026-11-31")).requests == 3
    assert (await store.totals(owner="nobody", **ALL)) == Totals()
    assert (await store.totals(owner="' OR 1=1 --", **ALL)) == Totals()


async def test_what_a_keys_successors_used_is_its_own(database: Database) -> None:
    store, keys = UsageStore(database), KeyStore(database)
    for key_id, counts_as in (("k1", None), ("k2", "k1"), ("k3", "k1"), ("k4", None)):
        await keys.add(
            KeyRecord(key_id, "ada", "", "free", frozenset(), bytes(32), 0, counts_as=counts_as)
        )
    rows = [row(key=key, n=n) for key, n in (("k1", 1), ("k2", 2), ("k3", 4), ("k4", 8))]
    await store.apply("s1", rows, 1)
    assert (await store.totals(key_id="k1", **ALL)).requests == 7
    assert (await store.totals(key_id="k2", **ALL)).requests == 2


async def test_reports_are_by_month_or_day_and_by_owner_or_key(database: Database) -> None:
    store = UsageStore(database)
    rows = [row(), row(NEXT), row(LATER), row(key="k2"), row(owner="eve", operation="stream")]
    await store.apply("s1", rows, 1)
    months = await store.report(first=DAY, last=LATER)
    assert months == [
        UsageLine("2026-11", "ada", "", "translate", Totals(3, 30, 3000)),
        UsageLine("2026-11", "eve", "", "stream", Totals(1, 10, 1000)),
        UsageLine("2026-12", "ada", "", "translate", Totals(1, 10, 1000)),
    ]
    days = await store.report(first=DAY, last=NEXT, period="day", by_key=True, owner="ada")
    assert [(line.period, line.key_id, line.used.requests) for line in days] == [
        (DAY, "k1", 1),
        (DAY, "k2", 1),
        (NEXT, "k1", 1),
    ]


@pytest.mark.parametrize("by_key", [True, False])
@pytest.mark.parametrize("period", ["day", "month"])
async def test_a_report_is_read_in_pages(database: Database, by_key: bool, period: Period) -> None:
    store = UsageStore(database)
    owners = ["ada", "Ada", "=eve()", "' OR 1=1 --", "日本"]
    rows = [
        row(day, owner, key, operation)
        for day in (DAY, NEXT, LATER)
        for owner in owners
        for key in ("k1", "k2")
        for operation in ("speech", "translate")
    ]
    await store.apply("s1", rows, 1)
    asked = {"first": DAY, "last": LATER, "period": period, "by_key": by_key}
    whole = await store.report(**asked)
    assert len(whole) == {"day": 3, "month": 2}[period] * len(owners) * (4 if by_key else 2)
    found: list[UsageLine] = []
    while page := await store.report(**asked, after=found[-1] if found else None, limit=7):
        assert len(page) <= 7
        found += page
    assert found == whole


async def test_an_owner_is_erased_and_old_days_are_forgotten(database: Database) -> None:
    store = UsageStore(database)
    await store.apply("s1", [row(), row(LATER), row(owner="eve")], 100)
    assert await store.erase("ada") == 2
    assert await store.totals(**ALL) == Totals(1, 10, 1000)
    assert not await store.apply("s1", [row()], 100)
    assert await store.forget(before_day=LATER, segments_before_ms=101) == 1
    assert await store.totals(**ALL) == Totals()
    assert await store.apply("s1", [row()], 200)  # its id is forgotten, too


async def test_what_an_erased_key_used_does_not_come_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_IDS_AT_ONCE", 2)
    store, keys = UsageStore(database), KeyStore(database)
    for key_id in ("k1", "k2"):
        await keys.add(KeyRecord(key_id, "ada", "", "pro", frozenset(), key_id.encode() * 16, 1))
    assert len(await keys.erase("ada", 100)) == 2
    late = [row(key=f"k{number}") for number in range(1, 7)]
    assert await store.apply("s1", late, 100)
    assert (await store.totals(owner="ada", **ALL)).requests == 4
    assert not await store.apply("s1", late, 100)
    await store.forget(before_day="", segments_before_ms=101)
    assert await store.apply("s2", [row(key="k1")], 200)  # no journal is that old
    assert (await store.totals(key_id="k1", **ALL)).requests == 1
