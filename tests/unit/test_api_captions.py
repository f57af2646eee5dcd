"""The stream of captions to one reader: over what it is sent, without a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from speech_translator.api.http_protocol import ABORT
from speech_translator.api.middleware.exchange import HEAD_ONLY
from speech_translator.api.realtime import captions
from speech_translator.api.realtime.captions import CaptionStream
from speech_translator.api.realtime.stream import hub_of
from speech_translator.streaming.sharing import CaptionHub, Reader
from tests.support.api import running
from tests.support.live_simulation import request
from tests.unit.test_streaming_sharing import SECRET, STATE, Hall, final, partial


class Connection:
    """A reader's end: it takes what it is sent as long as it ``takes``."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.aborted = False
        self.takes = 1000
        self.gone = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.sent) >= self.takes:
            await asyncio.Event().wait()
        self.sent.append(message)

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def abort(self) -> None:
        self.aborted = True

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


async def serve(
    reader: Reader, hub: CaptionHub, connection: Connection, language: str | None = None
) -> None:
    stream = CaptionStream(reader, hub, language, 0)
    scope = {"type": "http", "extensions": {ABORT: {"call": connection.abort}}}
    async with asyncio.timeout(60):
        await stream(scope, connection.receive, connection.send)


async def test_what_is_sent_is_server_sent_events() -> None:
    hall, connection = Hall(), Connection()
    reader = hall.read()
    hall.speaker.publish(final(1, "line\nend", pt="Olá"))
    hall.speaker.leave("end")
    await serve(reader, hall.hub, connection)
    head = connection.sent[0]
    fields = dict(head["headers"])
    assert head["status"] == 200
    assert fields[b"content-type"].startswith(b"text/event-stream")
    assert fields[b"cache-control"] == b"no-store"
    assert b"content-length" not in fields
    opening, said, done, rest = connection.text.split("\n\n")
    assert opening.startswith("retry: 2000\nevent: session\ndata: {")
    place, kind, data = said.split("\n")
    assert (place, kind) == ("id: 1", "event: final")
    body = json.loads(data.removeprefix("data: "))
    assert body["text"] == "line\nend"
    assert body["translations"] == {"pt": "Olá"}
    assert "latency_ms" not in body
    assert done == 'event: done\ndata: {"reason":"end"}'
    assert rest == ""
    assert not connection.sent[-1]["more_body"]
    assert not connection.aborted


async def test_a_partial_has_no_place_to_come_back_to() -> None:
    hall, connection = Hall(), Connection()
    reader = hall.read()
    hall.speaker.publish(partial(1, "so", pt="as"))
    hall.speaker.leave("shutting_down")
    await serve(reader, hall.hub, connection, "pt")
    _, said, rest = connection.text.split("\n\n")
    assert said.startswith("event: partial\ndata: {")
    assert '"text":"as"' in said
    assert rest == ""


@pytest.mark.parametrize("takes", [1, 2])
async def test_a_reader_that_takes_nothing_is_cut(takes: int) -> None:
    hall, connection = Hall(), Connection()
    reader = hall.read()
    hall.speaker.publish(final(1))
    connection.takes = takes
    await serve(reader, hall.hub, connection)
    assert connection.aborted
    assert len(hall.hub) == 0


async def test_a_reader_that_leaves_frees_its_place() -> None:
    hall, connection = Hall(), Connection()
    reader = hall.read()
    connection.gone.set()
    await serve(reader, hall.hub, connection)
    assert len(hall.hub) == 0
    assert not connection.aborted


async def test_who_wants_the_head_alone_is_answered_at_once_and_takes_no_place() -> None:
    hall, connection = Hall(), Connection()
    scope = {"type": "http", HEAD_ONLY: True}
    stream = CaptionStream(hall.read(), hall.hub, None, 0)
    async with asyncio.timeout(60):
        await stream(scope, connection.receive, connection.send)
    assert [message["type"] for message in connection.sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert connection.text == ""
    assert len(hall.hub) == 0


async def test_head_is_asked_of_a_shared_session_as_get_is(tmp_path: Path) -> None:
    async with running(data_dir=tmp_path / "data") as api:
        assert hub_of(api.app).captions.speak(STATE, request())
        secrets = {"X-Share-Secret": SECRET}
        async with asyncio.timeout(60):
            answer = await api.client.head("/captions/id", headers=secrets)
            refused = await api.client.head("/captions/id")
    assert (answer.status_code, refused.status_code) == (200, 404)
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_readers_are_counted_in_the_metrics(tmp_path: Path) -> None:
    async with running(data_dir=tmp_path / "data") as api:
        hub = hub_of(api.app).captions
        assert hub.speak(STATE, request())
        figures = []
        for _ in range(2):
            figures.append((await api.client.get("/metrics")).text)
            hub.read(hub.find(STATE.session_id, SECRET))
    for count, text in enumerate(figures):
        assert f"speech_translator_caption_readers {count}.0" in text


async def test_while_nothing_is_said_the_connection_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captions, "HEARTBEAT_S", 0)
    hall, connection = Hall(), Connection()
    reader = hall.hub.read(hall.hub.find(STATE.session_id, SECRET))
    serving = asyncio.create_task(serve(reader, hall.hub, connection))
    async with asyncio.timeout(60):
        while ":\n\n" not in connection.text:  # noqa: ASYNC110 # what is awaited is no event
            await asyncio.sleep(0)
    hall.speaker.leave("client_gone")
    hall.now += 121  # the heartbeat looks for speakers that did not come back
    await serving
    assert '{"reason":"speaker_gone"}' in connection.text
