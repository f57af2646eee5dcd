"""Two real servers on one Redis: what one closes the other refuses, and Redis may go and come."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from speech_translator.cli import checks
from speech_translator.security.auth import AuthConfig
from speech_translator.settings import Settings
from tests.support.cli import CommandLine
from tests.support.redis_server import RedisServer, redis_server
from tests.support.replicas import burst, figure, make_key, replicas, translate, until
from tests.support.server import Server, kill

LIVE = {"source_language": "en", "target_languages": ["pt"]}
A_DAY, A_MINUTE = 50, 60
SOONER_THAN_A_LOOKUP_ENDS = AuthConfig([]).cache_s - 1.0


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def pair(redis: RedisServer, folder: Path) -> Iterator[list[Server]]:
    tiers = folder / "tiers.toml"
    tiers.write_text(
        f'[basic]\nrequests_per_minute = "unlimited"\nrequests_per_day = {A_DAY}\n'
        f'[enterprise]\nrequests_per_minute = {A_MINUTE}\nrequests_per_day = "unlimited"\n'
    )
    with replicas(2, redis, folder, {"TIERS_FILE": str(tiers)}) as servers:
        yield servers


async def test_replicas_allow_together_what_a_tier_does_a_day(pair: list[Server]) -> None:
    key, _ = make_key(pair[0], user_id="day", tier="basic")
    done = await burst(pair, key, 240)
    assert done.statuses == {200: A_DAY, 429: 240 - A_DAY}


async def test_replicas_allow_together_a_minutes_and_what_was_refilled(pair: list[Server]) -> None:
    key, _ = make_key(pair[0], user_id="minute", tier="enterprise")
    done = await burst(pair, key, 240)
    assert A_MINUTE <= done.statuses[200] <= A_MINUTE + done.seconds * A_MINUTE / 60
    assert done.statuses[200] + done.statuses[429] == 240


def refused_soon(server: Server, credential: str) -> None:
    """It is heard of, and not found out when the look-up that is remembered has ended."""
    until(lambda: translate(server, credential) == 401, SOONER_THAN_A_LOOKUP_ENDS)


def test_a_key_that_one_replica_revokes_is_refused_by_the_other(pair: list[Server]) -> None:
    one, other = pair
    key, key_id = make_key(one)
    assert [translate(server, key) for server in pair] == [200, 200]
    with one.client(headers={"X-API-Key": key}) as client:
        assert client.delete(f"/auth/api-key/{key_id}").status_code == 204
    assert translate(one, key) == 401
    refused_soon(other, key)


def test_a_rotated_key_ends_everywhere(pair: list[Server]) -> None:
    one, other = pair
    key, key_id = make_key(one)
    assert [translate(server, key) for server in pair] == [200, 200]
    with one.client(headers={"X-API-Key": key}) as client:
        asked = client.post(f"/auth/api-key/{key_id}/rotate", json={"overlap_hours": 0})
        assert asked.status_code == 201
    refused_soon(other, key)
    assert translate(other, asked.json()["api_key"]) == 200


def test_a_closed_token_and_one_whose_key_was_revoked_end_everywhere(pair: list[Server]) -> None:
    one, other = pair
    key, key_id = make_key(one)
    with one.client(headers={"X-API-Key": key}) as client:
        first, second = (client.post("/auth/token").json()["access_token"] for _ in range(2))
    assert [translate(other, token) for token in (first, second)] == [200, 200]
    with one.client(headers={"Authorization": f"Bearer {first}"}) as client:
        assert client.delete("/auth/token").status_code == 204
    refused_soon(other, first)
    assert translate(other, second) == 200
    with one.client(headers={"X-API-Key": key}) as client:
        assert client.delete(f"/auth/api-key/{key_id}").status_code == 204
    refused_soon(other, second)


def test_the_command_line_is_heard_by_those_who_run(
    pair: list[Server], redis: RedisServer, folder: Path
) -> None:
    key, key_id = make_key(pair[0])
    assert [translate(server, key) for server in pair] == [200, 200]
    cli = CommandLine()
    cli.settings.update(data_dir=folder, redis_url=f"unix://{redis.socket}")
    assert cli("keys", "revoke", key_id).exit_code == 0
    for server in pair:
        refused_soon(server, key)


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
def test_nobody_is_refused_because_redis_is_gone(
    pair: list[Server], redis: RedisServer, fault: signal.Signals
) -> None:
    key, _ = make_key(pair[0])
    assert [translate(server, key) for server in pair] == [200, 200]
    before = [figure(server, "shared_store_alone", "limits") for server in pair]
    redis.process.send_signal(fault)
    for _ in range(20):
        assert [translate(server, key) for server in pair] == [200, 200]
    after = [figure(server, "shared_store_alone", "limits") for server in pair]
    assert all(now - then >= 20 for now, then in zip(after, before, strict=True))
    fresh, _ = make_key(pair[1])
    assert [translate(server, fresh) for server in pair] == [200, 200]
    if fault is signal.SIGKILL:
        redis.process.wait()
        redis.restart()
    else:
        redis.process.send_signal(signal.SIGCONT)
    for server in pair:
        until(lambda asked=server: shares(asked, key))
        log = [line for line in server.log().splitlines() if '"part":"limits"' in line]
        assert sum("shared_store_lost" in line for line in log) == sum(
            "shared_store_back" in line for line in log
        )


def shares(server: Server, key: str) -> bool:
    """Whether a request was counted by Redis, and revocations are heard again."""
    assert translate(server, key) == 200
    parts = ("limits", "revocations")
    return all(figure(server, "shared_store_up", part) == 1 for part in parts)


def open_socket(server: Server, key: str) -> ClientConnection:
    return connect(
        f"{server.socket_url}/translate/stream", additional_headers={"X-API-Key": key}, proxy=None
    )


def refusal(server: Server, key: str) -> InvalidStatus | None:
    try:
        with open_socket(server, key):
            return None
    except InvalidStatus as refused:
        return refused


def test_live_sessions_are_counted_over_all_replicas(pair: list[Server]) -> None:
    one, other = pair
    key, _ = make_key(one, user_id="eve", tier="free")
    with open_socket(one, key):
        for server in pair:
            refused = refusal(server, key)
            assert refused is not None
            assert refused.response.status_code == 429
            assert b'"policy":"live-sessions"' in refused.response.body
            assert "retry-after" not in refused.response.headers
            assert refused.response.headers["x-ratelimit-remaining"] == "9"
    until(lambda: refusal(other, key) is None)


def test_a_live_session_ends_with_its_key_or_token(pair: list[Server]) -> None:
    one, other = pair
    key, key_id = make_key(one, user_id="zoe", tier="pro")
    with one.client(headers={"X-API-Key": key}) as client:
        token = client.post("/auth/token").json()["access_token"]
    protocols = [Subprotocol("speech-translator"), Subprotocol(f"bearer.{token}")]
    address = f"{other.socket_url}/translate/stream"
    with (
        open_socket(other, key) as by_key,
        connect(address, subprotocols=protocols, proxy=None) as by_token,
    ):
        with one.client(headers={"Authorization": f"Bearer {token}"}) as client:
            assert client.delete("/auth/token").status_code == 204
        assert closed_with(by_token) == (1008, "unauthenticated")
        by_key.send(json.dumps({"type": "start", **LIVE}))
        assert json.loads(by_key.recv(timeout=10))["type"] == "ready"
        with one.client(headers={"X-API-Key": key}) as client:
            assert client.delete(f"/auth/api-key/{key_id}").status_code == 204
        assert closed_with(by_key) == (1008, "unauthenticated")
    assert "live_session_failed" not in other.log()


def closed_with(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=SOONER_THAN_A_LOOKUP_ENDS)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_a_replica_that_is_killed_leaves_leases_that_lapse(
    redis: RedisServer, tmp_path: Path
) -> None:
    with replicas(1, redis, tmp_path) as (server,):
        key, _ = make_key(server, user_id="kay", tier="free")
        with open_socket(server, key):
            kill(server.process.pid)
            server.process.wait()
    with redis.connect() as client:
        (name,) = client.keys("*lease:owner:kay")
        assert 0 < client.pttl(name) <= 30_000


def test_live_sessions_begin_without_redis_and_are_told_to_it_later(
    pair: list[Server], redis: RedisServer
) -> None:
    key, _ = make_key(pair[0], user_id="mia", tier="free")
    redis.process.kill()
    redis.process.wait()
    try:
        for server in pair:  # a share is one at least: together they may exceed the limit for now
            with open_socket(server, key):
                assert refusal(server, key) is not None
    finally:
        redis.restart()
    for server in pair:
        until(lambda asked=server: refusal(asked, key) is None)


def test_doctor_says_whether_redis_answers(redis: RedisServer, tmp_path: Path) -> None:
    def found(url: str | None) -> list[tuple[str, str]]:
        settings = Settings(redis_url=url)
        return [(check.name, check.verdict) for check in checks.redis_checks(settings)]

    assert found(None) == []
    assert found(f"unix://{redis.socket}") == [("redis", "ok")]
    assert found(f"unix://{tmp_path}/none") == [("redis", "warning")]
    assert found("http://localhost") == [("redis", "problem")]


def test_a_start_does_not_wait_for_redis(tmp_path: Path) -> None:
    with redis_server() as redis:
        redis.process.kill()
        redis.process.wait()
        with replicas(1, redis, tmp_path) as (server,):
            assert "shared_store_lost" in server.log()
            key, _ = make_key(server)
            assert translate(server, key) == 200
            redis.restart()
            until(lambda: shares(server, key))
            assert "shared_store_back" in server.log()
