"""The usage journal: on disk soon, in the database once, and nothing lost on the way."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from speech_translator.errors import ConfigurationError, StoreUnavailable
from speech_translator.security import usage_journal, usage_segments
from speech_translator.security.usage_book import UsageBook
from speech_translator.security.usage_journal import JournalConfig, UsageJournal
from speech_translator.security.usage_segments import (
    ASIDE,
    SUFFIX,
    Segment,
    UsageEntry,
    left_behind,
)
from speech_translator.storage.usage import Totals, UsageRow

DAY = "2026-11-28"
NOON_MS = 1_795_867_200_000


class Ledger:
    """The database, which may be away."""

    def __init__(self) -> None:
        self.segments: dict[str, list[UsageRow]] = {}
        self.away = False
        self.asked = 0

    async def apply(self, segment_id: str, rows: Sequence[UsageRow]) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        if segment_id in self.segments:
            return False
        self.segments[segment_id] = list(rows)
        return True

    @property
    def requests(self) -> int:
        return sum(row.used.requests for rows in self.segments.values() for row in rows)


def entry(owner: str = "ada", key: str = "k1", characters: int = 5) -> UsageEntry:
    return UsageEntry(DAY, owner, key, "translate", 1, characters, 0)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def journal(tmp_path: Path, ledger: Ledger, **options: object) -> UsageJournal:
    return UsageJournal(JournalConfig(tmp_path), ledger.apply, **options)  # type: ignore[arg-type]


def files(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob(f"*{SUFFIX}"))


def names(tmp_path: Path) -> list[str]:
    """Of all that is there."""
    return sorted(file.name for file in tmp_path.iterdir())


async def test_entries_are_added_up_and_their_file_goes(tmp_path: Path, ledger: Ledger) -> None:
    own = journal(tmp_path, ledger)
    for _ in range(3):
        own.record(entry())
    own.record(entry("eve", characters=7))
    pending = own.pending(first=DAY, last=DAY, owner="ada")
    assert pending == Totals(3, 15, 0)
    await own.flush()
    (rows,) = ledger.segments.values()
    assert {(row.owner, row.used) for row in rows} == {
        ("ada", Totals(3, 15, 0)),
        ("eve", Totals(1, 7, 0)),
    }
    assert files(tmp_path) == []
    assert own.pending(first=DAY, last=DAY) == Totals()


async def test_an_outage_keeps_everything_in_two_files_and_it_is_added_after(
    tmp_path: Path, ledger: Ledger
) -> None:
    events: list[str] = []
    own = journal(tmp_path, ledger, on_event=events.append)
    ledger.away = True
    for _ in range(50):
        own.record(entry())
        await own.flush()
    assert len(files(tmp_path)) == 2
    assert own.pending(first=DAY, last=DAY).requests == 50
    assert set(events) == {"unapplied"}
    ledger.away = False
    await own.flush()
    await own.flush()
    assert ledger.requests == 50
    assert events[-1] == "applied"
    assert files(tmp_path) == []


async def test_what_a_killed_process_left_is_added_once(tmp_path: Path, ledger: Ledger) -> None:
    killed = journal(tmp_path, ledger)
    killed.record(entry())
    killed.record(entry())
    ledger.away = True
    await killed.flush()
    assert killed._closed
    killed._closed.close()  # as the end of its process does
    (left,) = files(tmp_path)
    left.write_bytes(left.read_bytes() + b'["2026-11-28","ada","k1","transl')
    ledger.away = False
    others = [journal(tmp_path, ledger) for _ in range(3)]
    await asyncio.gather(*(other.adopt() for other in others))
    assert ledger.requests == 2
    assert files(tmp_path) == []


async def test_a_database_that_is_away_is_asked_for_one_of_many_files(
    tmp_path: Path, ledger: Ledger
) -> None:
    for number in range(5):
        (tmp_path / f"{number}{SUFFIX}").write_bytes(b"")
    ledger.away = True
    await journal(tmp_path, ledger).adopt()
    assert ledger.asked == 1
    assert len(files(tmp_path)) == 5


async def test_the_segment_of_a_process_that_lives_is_left_alone(
    tmp_path: Path, ledger: Ledger
) -> None:
    living = journal(tmp_path, ledger)
    living.record(entry())
    ledger.away = True
    await living.flush()
    ledger.away = False
    await journal(tmp_path, ledger).adopt()
    assert ledger.requests == 0
    await living.flush()
    assert ledger.requests == 1


async def test_nobody_sees_a_segment_before_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, seen = usage_segments.fcntl.flock, []

    def while_others_look(descriptor: int, how: int) -> None:
        seen.append(left_behind(tmp_path))
        lock(descriptor, how)

    monkeypatch.setattr(usage_segments.fcntl, "flock", while_others_look)
    Segment(tmp_path).close()
    assert seen == [[]]
    assert len(left_behind(tmp_path)) == 1


async def test_who_is_cut_off_while_it_is_written_loses_nothing(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = journal(tmp_path, ledger)
    written, begun, go_on = os.write, threading.Event(), threading.Event()

    def slow(descriptor: int, data: bytes) -> int:
        begun.set()
        go_on.wait(10)
        return written(descriptor, data)

    monkeypatch.setattr(usage_segments.os, "write", slow)
    own.record(entry())
    asking = asyncio.create_task(own.flush())
    await asyncio.to_thread(begun.wait, 10)
    asking.cancel()
    await asyncio.wait([asking])
    assert own.waiting == 1
    go_on.set()
    own.record(entry())
    await own.flush()
    assert ledger.requests == 2
    assert files(tmp_path) == []


async def test_killed_between_database_and_file_counts_once(tmp_path: Path, ledger: Ledger) -> None:
    own = journal(tmp_path, ledger)
    own.record(entry())
    ledger.away = True
    await own.flush()
    ledger.away = False
    assert own._closed
    await ledger.apply(own._closed.id, [UsageRow(DAY, "ada", "k1", "translate", Totals(1))])
    own._closed.close()
    await journal(tmp_path, ledger).adopt()
    assert ledger.requests == 1
    assert files(tmp_path) == []


async def test_a_damaged_line_costs_itself_alone_and_is_told(
    tmp_path: Path, ledger: Ledger
) -> None:
    events: list[str] = []
    whole = usage_segments.msgspec.json.encode(entry())
    (tmp_path / f"old{SUFFIX}").write_bytes(whole + b"\n{]\n" + whole + b"\n")
    await journal(tmp_path, ledger, on_event=events.append).adopt()
    assert ledger.requests == 2
    assert events == ["damaged"]
    assert names(tmp_path) == [f"old{SUFFIX}{ASIDE}"]


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b'["2026-11-28","ada","k1","translate",-1,5,0]',
        b'["2026-11-28","ada","k1","translate",1,1e400,0]',
        b'["2026-11-28","ada","k1","translate",1,99999999999999999999,0]',
        b'["2026-11-28","a\\u0000b","k1","translate",1,5,0]',
        b'["tomorrow","ada","k1","translate",1,5,0]',
        b'["2026-11-28","' + b"a" * 129 + b'","k1","translate",1,5,0]',
    ],
)
async def test_what_no_database_would_take_keeps_nothing_behind_it(
    tmp_path: Path, ledger: Ledger, line: bytes
) -> None:
    whole = usage_segments.msgspec.json.encode(entry()) + b"\n"
    (tmp_path / f"1{SUFFIX}").write_bytes(line + b"\n" + whole)
    (tmp_path / f"2{SUFFIX}").write_bytes(whole)
    await journal(tmp_path, ledger).adopt()
    assert {name: len(rows) for name, rows in ledger.segments.items()} == {"1": 1, "2": 1}
    assert names(tmp_path) == [f"1{SUFFIX}{ASIDE}"]


async def test_a_file_that_cannot_be_brought_is_set_aside_and_one_that_cannot_be_read_is_left(
    tmp_path: Path, ledger: Ledger
) -> None:
    events: list[str] = []
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    whole = usage_segments.msgspec.json.encode(entry()) + b"\n"
    (tmp_path / f"1{SUFFIX}").mkdir()
    for name in ("2", "3"):
        (tmp_path / f"{name}{SUFFIX}").write_bytes(whole)

    async def apply(segment_id: str, rows: Sequence[UsageRow]) -> bool:
        if segment_id == "2":
            raise ZeroDivisionError
        return await ledger.apply(segment_id, rows)

    own = UsageJournal(JournalConfig(tmp_path), apply, on_event=events.append)
    await own.adopt()
    assert list(ledger.segments) == ["3"]
    assert events == ["unapplied", "damaged"]
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
    assert names(tmp_path) == [f"1{SUFFIX}", f"2{SUFFIX}{ASIDE}"]


async def test_a_full_disk_refuses_nobody_and_loses_nothing(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    own = journal(tmp_path, ledger, on_event=events.append)
    own.record(entry())
    await own._write()
    with monkeypatch.context() as full:
        written = os.write

        def half(descriptor: int, data: bytes) -> int:
            written(descriptor, bytes(data)[: len(data) // 2])
            raise OSError(28, "No space left on device")

        full.setattr(usage_segments.os, "write", half)
        full.setattr(usage_journal, "_MAX_UNWRITTEN", 10)
        for _ in range(100):
            own.record(entry())
        await own._write()
        assert events == ["unwritten"]
        assert len(own._unwritten) <= 11
    await own._write()
    assert own._open
    entries, fine = usage_segments.read(own._open.path)
    assert fine
    assert sum(each.requests for each in entries) == 101
    await own.flush()
    assert ledger.requests == 101


async def test_a_directory_that_cannot_be_written_is_told_at_the_start(
    tmp_path: Path, ledger: Ledger
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="DATA_DIR"):
        await UsageJournal(JournalConfig(tmp_path / "file" / "usage"), ledger.apply).start()


async def test_the_end_brings_the_rest(tmp_path: Path, ledger: Ledger) -> None:
    own = journal(tmp_path, ledger)
    await own.start()
    for _ in range(5):
        own.record(entry())
        await asyncio.sleep(0)
    await own.stop()
    assert ledger.requests == 5
    assert files(tmp_path) == []


async def test_at_the_end_an_outage_leaves_it_to_the_next(tmp_path: Path, ledger: Ledger) -> None:
    own = journal(tmp_path, ledger)
    await own.start()
    own.record(entry())
    ledger.away = True
    await own.stop()
    ledger.away = False
    await journal(tmp_path, ledger).adopt()
    assert ledger.requests == 1


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 # what is awaited is no event
            await asyncio.sleep(0)


async def test_a_database_that_hangs_does_not_keep_entries_from_the_disk(
    tmp_path: Path, ledger: Ledger
) -> None:
    answers = asyncio.Event()

    async def hang(segment_id: str, rows: Sequence[UsageRow]) -> bool:
        ledger.asked += 1
        await answers.wait()
        return await ledger.apply(segment_id, rows)

    own = UsageJournal(JournalConfig(tmp_path, sync_s=0.001, apply_s=0.001), hang)
    await own.start()
    own.record(entry())
    await until(lambda: ledger.asked)
    own.record(entry())
    await until(lambda: sum(file.read_bytes().count(b"\n") for file in files(tmp_path)) == 2)
    assert ledger.requests == 0
    answers.set()
    await own.stop()
    assert ledger.requests == 2
    assert files(tmp_path) == []


class Asked:
    """The sums of a ledger; something happens when they are asked for the n-th time."""

    def __init__(self, ledger: Ledger, happens: dict[int, Callable[[], Awaitable[None]]]) -> None:
        self.ledger = ledger
        self.happens = happens
        self.asked = 0

    async def totals(self, **_: object) -> Totals:
        self.asked += 1
        if self.asked in self.happens:
            await self.happens[self.asked]()
        return Totals(self.ledger.requests)

    def book(self, own: UsageJournal) -> UsageBook:
        async def opened() -> Asked:
            return self

        return UsageBook(opened, own, clock=lambda: NOON_MS)  # type: ignore[arg-type]


async def test_what_is_applied_while_it_is_asked_for_does_not_count_twice(
    tmp_path: Path, ledger: Ledger
) -> None:
    own = journal(tmp_path, ledger)
    for _ in range(7):
        own.record(entry())

    store = Asked(ledger, {1: own.flush})
    assert (await store.book(own).used("day", owner="ada")).requests == 7
    assert store.asked == 2


async def test_nor_what_the_database_has_and_the_journal_does_not_know_yet(
    tmp_path: Path, ledger: Ledger
) -> None:
    answers = asyncio.Event()

    async def slow(segment_id: str, rows: Sequence[UsageRow]) -> bool:
        await ledger.apply(segment_id, rows)
        await answers.wait()
        return True

    own = UsageJournal(JournalConfig(tmp_path), slow)
    for _ in range(7):
        own.record(entry())
    flushing = asyncio.create_task(own.flush())
    await until(lambda: ledger.requests)

    async def answer() -> None:
        answers.set()
        await flushing

    store = Asked(ledger, {2: answer})
    assert (await store.book(own).used("day", owner="ada")).requests == 7
    assert store.asked == 3


async def test_what_was_left_is_known_before_the_first_request(
    tmp_path: Path, ledger: Ledger
) -> None:
    (tmp_path / f"old{SUFFIX}").write_bytes(usage_segments.msgspec.json.encode(entry()) + b"\n")
    own = journal(tmp_path, ledger)
    await own.start()
    assert ledger.requests == 1
    await own.stop()


async def test_a_start_does_not_wait_for_a_database_that_hangs(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}{SUFFIX}").write_bytes(b"")
    answers = asyncio.Event()

    async def hang(segment_id: str, rows: Sequence[UsageRow]) -> bool:
        await answers.wait()
        raise StoreUnavailable("away")

    own = UsageJournal(JournalConfig(tmp_path, close_s=0.01), hang)
    await own.start()
    own.record(entry())
    await own.stop()
    assert len(files(tmp_path)) == 4


async def test_a_fault_of_ours_does_not_end_the_journal(tmp_path: Path, ledger: Ledger) -> None:
    events: list[str] = []

    async def faulty(segment_id: str, rows: Sequence[UsageRow]) -> bool:
        if not events:
            raise ZeroDivisionError
        return await ledger.apply(segment_id, rows)

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said["exception"]))
    config = JournalConfig(tmp_path, sync_s=0.001, apply_s=0.001)
    own = UsageJournal(config, faulty, on_event=events.append)
    await own.start()
    own.record(entry())
    await until(lambda: ledger.requests)
    await own.stop()
    assert events[:2] == ["failed", "applied"]
    assert isinstance(told[0], ZeroDivisionError)
