"""Readers of a shared session over the real service: many, late, slow, and with a wrong secret."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.support.live_client import LiveSession, live_session
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
SPEECH = np.full(12_800, 8_000, "<i2").tobytes()
PAUSE = bytes(2 * 16_000)
START = {"source_language": "en", "target_languages": ["pt"], "partials": True, "share": True}


@dataclass
class Reading:
    """What one reader was told."""

    status: int = 0
    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    over: bool = False

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [body for name, _, body in self.events if name == kind]


@asynccontextmanager
async def reader(server: Server, path: str, secret: str, **headers: str) -> AsyncIterator[Reading]:
    """One who reads in the background; no key is sent."""
    reading = Reading()

    async def read() -> None:
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client,
            client.stream("GET", path, headers={"X-Share-Secret": secret, **headers}) as answer,
        ):
            reading.status = answer.status_code
            found: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                found[name] = value
                if not line and "event" in found:
                    event = found["event"], found.get("id", ""), json.loads(found["data"])
                    reading.events.append(event)
                    found = {}
        reading.over = True

    task = asyncio.create_task(read())
    try:
        yield reading
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 # what is awaited is no event
            await asyncio.sleep(0.02)


async def ready(session: LiveSession) -> tuple[str, str]:
    """The address of a session's captions, and its secret."""
    await session.until(lambda each: each.told("ready"))
    told = session.told("ready")[0]
    return f"/captions/{told['session_id']}", told["share_secret"]


async def test_many_read_what_one_says_and_late_ones_read_it_all() -> None:
    with start_server(arguments=SCRIPTED) as server:
        async with live_session(server, **START) as session:
            path, secret = await ready(session)
            async with (
                reader(server, path, secret) as first,
                reader(server, path + "?language=pt", secret) as portuguese,
            ):
                await until(lambda: first.events and portuguese.events)
                await session.send((SPEECH + PAUSE) * 3)
                await until(lambda: len(first.told("final")) == 3)
                async with (
                    reader(server, path, secret) as late,
                    reader(server, path, secret, **{"Last-Event-ID": first.events[-1][1]}) as back,
                ):
                    await until(lambda: len(late.told("final")) == 3 and back.events)
                    await session.send(SPEECH + PAUSE)
                    await session.end()
                    await session.until_closed()
                    everyone = (first, portuguese, late, back)
                    await until(lambda: all(one.over for one in everyone))
        assert secret not in server.log()
    assert all(one.status == 200 for one in everyone)
    assert all(one.told("done") == [{"reason": "end"}] for one in everyone)
    spoken = [(f["segment_id"], f["text"], f["translations"]) for f in session.told("final")]
    for one in (first, late):
        told = [(f["segment_id"], f["text"], f["translations"]) for f in one.told("final")]
        assert told == spoken
        assert one.told("session")[0]["target_languages"] == ["pt"]
    assert [f["text"] for f in portuguese.told("final")] == ["pt:Hello there."] * 4
    assert {f["language"] for f in portuguese.told("final")} == {"pt"}
    assert [f["segment_id"] for f in back.told("final")] == [spoken[-1][0]]
    ids = [place for name, place, _ in late.events if name == "final"]
    assert ids == [str(segment) for segment, _, _ in spoken]


async def test_nothing_but_the_secret_opens_it_and_guesses_are_counted() -> None:
    with start_server(arguments=SCRIPTED) as server:
        async with live_session(server, **START) as session, server.async_client() as client:
            path, secret = await ready(session)
            right = {"X-Share-Secret": secret}
            answers = [
                await client.get(path),
                await client.get(path, headers={"X-Share-Secret": secret[:-1]}),
                await client.get("/captions/nothing", headers=right),
                await client.get(path + "?secret=" + secret),
            ]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.json()["detail"] for answer in answers}) == 1
            unknown = await client.get(path + "?language=fr", headers=right)
            assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_field")
            assert unknown.json()["supported"] == ["en", "pt"]
            codes = [(await client.get(path)).status_code for _ in range(60)]
            assert codes[-1] == 429
            async with reader(server, path, secret) as one:  # who has it is not harmed
                await until(lambda: one.events)


async def test_a_session_that_is_not_shared_tells_no_secret() -> None:
    with start_server(arguments=SCRIPTED) as server:
        async with live_session(server, source_language="en") as session:
            path, secret = await ready(session)
            assert secret is None
            async with reader(server, path, "") as one:
                await until(lambda: one.status)
            assert one.status == 404


async def test_the_speaker_ends_it_and_the_talk_goes_on() -> None:
    with start_server(arguments=SCRIPTED) as server:
        async with live_session(server, **START) as session:
            path, secret = await ready(session)
            async with reader(server, path, secret) as one:
                await until(lambda: one.events)
                await session.socket.send('{"type": "unshare"}')
                await until(lambda: one.over)
                assert one.told("done") == [{"reason": "unshared"}]
            async with reader(server, path, secret) as again:
                await until(lambda: again.status)
            assert again.status == 404
            await session.send(SPEECH + PAUSE)
            await session.end()
            await session.until_closed()
        assert session.told("unshared")
        assert session.told("final")
        assert session.close_code == 1000


async def test_readers_stay_while_the_speaker_comes_back() -> None:
    with start_server(arguments=SCRIPTED) as server:
        async with live_session(server, **START) as session:
            path, secret = await ready(session)
            await session.send(SPEECH + PAUSE)
            await session.until(lambda each: each.told("final"))
            token = session.told("ready")[0]["resume_token"]
            last = session.events[-1]["seq"]
        async with (
            reader(server, path, secret) as one,
            live_session(server, type="resume", token=token, last_seq=last) as again,
        ):
            await again.until(lambda each: each.told("ready"))
            assert again.told("ready")[0]["share_secret"] is None
            await until(lambda: one.told("final"))
            await again.send(SPEECH + PAUSE)
            await again.end()
            await again.until_closed()
            await until(lambda: one.over)
    texts = [final["segment_id"] for final in one.told("final")]
    assert len(texts) == 2
    assert texts == sorted(set(texts))


async def test_the_link_works_after_the_server_was_killed(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path)}
    with start_server(settings, arguments=SCRIPTED) as server:
        keys = dict(server.headers)
        async with live_session(server, **START) as session:
            path, secret = await ready(session)
            await session.send((SPEECH + PAUSE) * 2)
            await session.until(lambda each: len(each.told("final")) == 2)
            token = session.told("ready")[0]["resume_token"]
            last = session.events[-1]["seq"]
            server.process.kill()
            await asyncio.to_thread(server.process.wait)
    with start_server(settings, arguments=SCRIPTED, keyed=False) as server:
        going_on = {"type": "resume", "token": token, "last_seq": last}
        async with live_session(server, headers=keys, **going_on) as session:
            await session.until(lambda each: each.told("ready"))
            async with reader(server, path, secret) as one:
                await until(lambda: len(one.told("final")) == 2)


async def test_there_are_as_many_readers_as_may_be_and_a_stop_sends_them_on() -> None:
    with start_server({"LIVE_MAX_READERS": "2"}, arguments=SCRIPTED) as server:
        async with live_session(server, **START) as session:
            path, secret = await ready(session)
            async with reader(server, path, secret) as first:
                async with reader(server, path, secret) as second:
                    await until(lambda: first.events and second.events)
                    async with reader(server, path, secret) as third:
                        await until(lambda: third.status)
                    assert third.status == 503
                async with reader(server, path, secret) as next_one:
                    await until(lambda: next_one.status)
                    assert next_one.status == 200
                server.process.terminate()
                await until(lambda: first.over)
                assert first.told("done") == []  # it may come again
        assert await asyncio.to_thread(server.process.wait, 30) == 0


async def test_a_reader_that_does_not_read_harms_nobody() -> None:
    settings = {"LIVE_SEND_TIMEOUT_S": "1"}
    with start_server(settings, arguments=SCRIPTED) as server:
        async with live_session(server, **START) as session:
            path, secret = await ready(session)
            host, port = server.url.removeprefix("http://").split(":")
            with socket.socket() as stuck:
                stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                stuck.connect((host, int(port)))
                head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Share-Secret: {secret}\r\n\r\n"
                stuck.sendall(head.encode())
                async with reader(server, path, secret) as one:
                    await until(lambda: one.events)
                    for _ in range(12):
                        await session.send((SPEECH + PAUSE) * 4)
                    await session.until(lambda each: len(each.told("final")) == 48)
                    await until(lambda: len(one.told("final")) == 48)
                    await session.end()
                    await session.until_closed()
                    await until(lambda: one.over)
        assert "Traceback" not in server.log()
