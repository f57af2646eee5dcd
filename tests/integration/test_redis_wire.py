"""The one connection to Redis that all calls share, on a real Redis that is stopped and cut off."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import hiredis
import pytest
import uvloop
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_wire import RedisWire
from tests.support.redis_server import RedisServer, redis_server
from tests.support.relay import relayed

Loop = Callable[[], asyncio.AbstractEventLoop]
ON_BOTH_LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
WORD = "secret"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, vouching for itself; its key stands beside it."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=test"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem"


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[RedisWire]:
    async with redis_client(RedisConfig(url)) as client, RedisWire(client, timeout_s=5) as wire:
        yield wire


async def echo(wire: RedisWire, text: str) -> str:
    answer: bytes = await wire.ask(("ECHO", text))
    return answer.decode()


async def connection_of(wire: RedisWire) -> int:
    """Its number, by the server."""
    number: int = await wire.ask(("CLIENT", "ID"))
    return number


def run(loop: Loop, work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(work, 30))


@ON_BOTH_LOOPS
def test_everybody_gets_their_own_answer_whoever_leaves(server: RedisServer, loop: Loop) -> None:
    chance = random.Random(7)

    async def work() -> None:
        async with server.wire() as wire:
            number = await connection_of(wire)
            for _ in range(30):
                texts = [f"{index} " * chance.choice([1, 1, 20_000]) for index in range(50)]
                asking = [asyncio.create_task(echo(wire, text)) for text in texts]
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                for one in chance.sample(asking, 25):
                    one.cancel()
                found = await asyncio.gather(*asking, return_exceptions=True)
                for text, answer in zip(texts, found, strict=True):
                    assert isinstance(answer, asyncio.CancelledError) or answer == text
            assert await connection_of(wire) == number

    run(loop, work())


@ON_BOTH_LOOPS
def test_who_gives_up_leaves_the_answer_to_nobody(server: RedisServer, loop: Loop) -> None:
    async def work() -> None:
        async with server.wire() as wire:
            number = await connection_of(wire)
            server.process.send_signal(signal.SIGSTOP)
            asking = [asyncio.create_task(echo(wire, text)) for text in ("one", "two", "three")]
            await asyncio.sleep(0.01)  # they are sent
            asking[0].cancel()
            asking[2].cancel()
            await asyncio.sleep(0)
            last = asyncio.create_task(echo(wire, "four"))
            await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGCONT)
            assert (await asking[1], await last) == ("two", "four")
            assert await connection_of(wire) == number

    run(loop, work())


@ON_BOTH_LOOPS
def test_an_answer_that_is_late_is_nobodys(server: RedisServer, loop: Loop) -> None:
    async def work() -> None:
        async with server.wire(timeout_s=1.0) as wire:
            number = await connection_of(wire)
            server.process.send_signal(signal.SIGSTOP)
            asking = [asyncio.create_task(echo(wire, str(index))) for index in range(5)]
            found = await asyncio.gather(*asking, return_exceptions=True)
            assert [type(error) for error in found] == [TimeoutError] * 5
            with pytest.raises(TimeoutError):  # it takes connections, and says nothing
                await echo(wire, "meanwhile")
            server.process.send_signal(signal.SIGCONT)
            for index in range(20):
                assert await echo(wire, f"after {index}") == f"after {index}"
            assert await connection_of(wire) != number

    run(loop, work())


@ON_BOTH_LOOPS
def test_after_a_cut_the_next_call_connects_anew(server: RedisServer, loop: Loop) -> None:
    async def work() -> None:
        with relayed(f"http://127.0.0.1:{server.open_port()}") as relay:
            async with wire_to(relay.url.replace("http", "redis")) as wire:
                for text in ("one", "two", "three"):
                    assert await echo(wire, text) == text
                    assert relay.cut() == 1
                    await asyncio.sleep(0.05)  # nobody waits while it is cut
                assert await echo(wire, "four") == "four"
                server.process.send_signal(signal.SIGSTOP)
                asking = [asyncio.create_task(echo(wire, str(index))) for index in range(5)]
                await asyncio.sleep(0.01)
                relay.cut()
                found = await asyncio.gather(*asking, return_exceptions=True)
                assert [type(error) for error in found] == [LostError] * 5
                server.process.send_signal(signal.SIGCONT)
                assert await echo(wire, "after") == "after"

    run(loop, work())


@ON_BOTH_LOOPS
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_it_connects_as_the_address_says(
    server: RedisServer, certificate: Path, loop: Loop, kind: str
) -> None:
    with server.connect() as client:
        client.acl_setuser("ada", enabled=True, passwords=[f"+{WORD}"], commands=["+@all"])
        client.config_set("tls-auth-clients", "no")
        client.execute_command(  # both at once, or neither is taken
            *("CONFIG", "SET", "tls-cert-file", str(certificate)),
            *("tls-key-file", str(certificate.with_name("key.pem"))),
        )
        tcp, tls = server.open_port(), server.open_port("tls-port")
        client.acl_setuser("default", enabled=False)
    url = {
        "tcp": f"redis://ada:{WORD}@127.0.0.1:{tcp}/3",
        "tls": f"rediss://ada:{WORD}@127.0.0.1:{tls}/3?ssl_ca_certs={certificate}",
        "unix": f"unix://ada:{WORD}@{server.socket}?db=3",
    }[kind]

    async def work() -> None:
        async with wire_to(url) as wire:
            texts = [f"{index} " * 100_000 for index in range(5)]
            assert await asyncio.gather(*(echo(wire, text) for text in texts)) == texts
            about = (await wire.ask(("CLIENT", "INFO"))).decode()
            assert " user=ada " in about
            assert " db=3 " in about
        async with wire_to(url.replace(WORD, "wrong")) as wire:
            with pytest.raises(RedisError):
                await echo(wire, "never")
        await asyncio.sleep(0.05)  # redis-py's goodbye over TLS takes a while

    run(loop, work())


async def test_what_redis_refuses_is_one_callers_alone(server: RedisServer) -> None:
    async with server.wire() as wire:
        number = await connection_of(wire)
        commands = [("ECHO", "a"), ("NO-SUCH",), ("ECHO", "b"), ("GET",), ("ECHO", "c")]
        asking = [asyncio.ensure_future(wire.ask(command)) for command in commands]
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert found[::2] == [b"a", b"b", b"c"]
        assert [type(error) for error in found[1::2]] == [ResponseError, ResponseError]
        assert await connection_of(wire) == number


async def test_a_server_that_may_not_write_any_more_is_left(server: RedisServer) -> None:
    async with server.wire() as wire:
        number = await connection_of(wire)
        with server.connect() as client:
            client.replicaof("127.0.0.1", 1)
        with pytest.raises(ReadOnlyError):
            await wire.ask(("SET", "a", 1))
        assert await connection_of(wire) != number


async def test_what_is_pushed_is_nobodys_answer(server: RedisServer) -> None:
    async with wire_to(f"unix://{server.socket}?protocol=3") as wire:
        await wire.ask(("CLIENT", "TRACKING", "ON", "BCAST"))
        with server.connect() as client:
            for index in range(5):
                client.set(f"key {index}", 1)
                assert await echo(wire, str(index)) == str(index)


@pytest.mark.parametrize("surplus", [b"+more\r\n", b"?"])
async def test_what_nobody_asked_for_ends_the_connection(surplus: bytes) -> None:
    made = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(writer)
        commands = hiredis.Reader()
        while data := await reader.read(65_536):
            commands.feed(data)
            while (command := commands.gets()) is not False:
                writer.write(b"+me\r\n" + surplus if command[0] == b"ECHO" else b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with wire_to(f"redis://127.0.0.1:{port}") as wire:
            for times in (1, 2, 3):
                assert await echo(wire, "me") == "me"
                assert len(made) == times


async def test_who_waits_when_it_is_closed_is_told(server: RedisServer) -> None:
    async with server.wire() as wire:
        assert await echo(wire, "before") == "before"
        server.process.send_signal(signal.SIGSTOP)
        asking = asyncio.create_task(echo(wire, "never"))
        await asyncio.sleep(0.01)
        await wire.aclose()
        with pytest.raises(LostError):
            await asking
        connecting = asyncio.create_task(echo(wire, "never"))
        await asyncio.sleep(0.01)
        await wire.aclose()
        with pytest.raises(LostError):
            await connecting
