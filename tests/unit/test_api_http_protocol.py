"""Bounds on the head of a request, with a transport and a clock that are ours."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from speech_translator.api.http_protocol import ABORT, BoundedHttpProtocol, bounded

HEAD = b"POST /x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n"


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written = b""
        self.closed = self.aborted = False
        self.protocol = None

    def get_protocol(self):
        return self.protocol

    def get_extra_info(self, name, default=None):
        return default

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class Timer:
    def __init__(self, at, call):
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self):
        self.cancelled = True


class Loop:
    """The real loop for tasks, our own clock for timers."""

    def __init__(self):
        self.now, self.timers = 0.0, []

    def call_later(self, delay, call, *args):
        self.timers.append(Timer(self.now + delay, lambda: call(*args)))
        return self.timers[-1]

    def create_task(self, coroutine):
        return asyncio.get_running_loop().create_task(coroutine)

    def advance(self, seconds):
        until = self.now + seconds
        while due := [t for t in self.timers if not t.cancelled and t.at <= until]:
            timer = min(due, key=lambda found: found.at)
            self.now = timer.at
            self.timers.remove(timer)
            timer.call()
        self.now = until


async def answer_ok(scope, receive, send):
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def connect():
    def build(app=answer_ok):
        config = uvicorn.Config(
            app, ws="none", lifespan="off", log_config=None, timeout_keep_alive=30
        )
        loop, transport = Loop(), Transport()
        protocol = bounded(10)(config, ServerState(), {}, loop)
        transport.protocol = protocol
        protocol.connection_made(transport)
        return protocol, transport, loop

    return build


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_client_that_says_nothing_is_closed(connect):
    _, transport, loop = connect()
    loop.advance(9)
    assert not transport.closed
    loop.advance(2)
    assert transport.closed


async def test_a_head_that_trickles_in_is_closed_at_its_deadline(connect):
    protocol, transport, loop = connect()
    for byte in HEAD[:-1]:
        protocol.data_received(bytes([byte]))
        loop.advance(0.3)
    assert transport.closed
    assert loop.now < 20


async def test_a_whole_head_stops_the_clock_however_long_the_body_takes(connect):
    async def slow(scope, receive, send):
        await receive()
        await asyncio.sleep(0)

    protocol, transport, loop = connect(slow)
    protocol.data_received(HEAD)
    loop.advance(60)
    assert not transport.closed
    protocol.data_received(b"body")
    await settle()


async def test_a_further_request_on_the_connection_has_a_deadline_of_its_own(connect):
    protocol, transport, loop = connect()
    protocol.data_received(HEAD + b"body")
    await settle()
    assert transport.written.endswith(b"ok")
    loop.advance(20)  # idle between requests: the keep-alive timer's business
    assert not transport.closed
    protocol.data_received(b"\r\n")  # a parser skips these, but they stop the keep-alive timer
    loop.advance(11)
    assert transport.closed


async def test_a_half_sent_second_head_does_not_cut_the_first_answer(connect):
    release = asyncio.Event()

    async def held(scope, receive, send):
        await release.wait()
        await answer_ok(scope, receive, send)

    protocol, transport, loop = connect(held)
    protocol.data_received(HEAD + b"body" + b"POST /y HT")
    await settle()
    loop.advance(25)
    assert not transport.closed
    release.set()
    await settle()
    assert transport.written.endswith(b"ok")
    loop.advance(11)
    assert transport.closed


async def test_a_body_that_trickles_on_after_its_answer_is_cut(connect):
    protocol, transport, loop = connect()
    protocol.data_received(HEAD)
    await settle()
    assert transport.written.endswith(b"ok")
    for _ in range(3):
        loop.advance(4)
        protocol.data_received(b"b")
    assert transport.closed


async def test_a_connection_goes_on_after_a_body_that_nobody_wanted(connect):
    protocol, transport, loop = connect()
    protocol.data_received(HEAD)
    await settle()
    protocol.data_received(b"body" + HEAD + b"body")
    await settle()
    assert transport.written.count(b"HTTP/1.1 200") == 2
    loop.advance(20)
    assert not transport.closed


async def test_an_endless_header_is_refused_in_bounded_memory(connect):
    protocol, transport, _ = connect()
    protocol.data_received(b"GET / HTTP/1.1\r\nx-long: ")
    sent = 0
    while not transport.closed and sent <= 2 * BoundedHttpProtocol.max_head_bytes:
        protocol.data_received(b"a" * 1024)
        sent += 1024
    assert sent <= BoundedHttpProtocol.max_head_bytes + 1024
    assert transport.written.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"not http\r\n\r\n",
    ],
)
async def test_heads_that_are_too_large_or_malformed_get_a_400(connect, head):
    protocol, transport, _ = connect()
    protocol.data_received(head)
    await settle()
    assert transport.written.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert transport.closed


async def test_a_large_body_is_not_counted_as_a_head(connect):
    received = []

    async def count(scope, receive, send):
        more = True
        while more:
            message = await receive()
            received.append(len(message["body"]))
            more = message["more_body"]
        await answer_ok(scope, receive, send)

    protocol, transport, _ = connect(count)
    protocol.data_received(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n")
    for _ in range(20):
        protocol.data_received(b"b" * 10_000)
        await settle()
    assert sum(received) == 200_000
    assert transport.written.startswith(b"HTTP/1.1 200")


async def test_an_application_can_cut_a_connection_that_does_not_take_its_answer(connect):
    async def cut(scope, receive, send):
        scope["extensions"][ABORT]["call"]()

    protocol, transport, _ = connect(cut)
    protocol.data_received(b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await settle()
    assert transport.aborted
