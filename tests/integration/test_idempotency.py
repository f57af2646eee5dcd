"""Requests sent again to real services: killed, stopped, and two at once on one database."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
PEPPER = "only for this test, and long enough"


def ask(client: httpx.Client, key: str, text: str) -> httpx.Response:
    body = {"text": text, "source_language": "en", "target_language": "pt"}
    return client.post("/translate/text", json=body, headers={"Idempotency-Key": key})


def requests_of(client: httpx.Client) -> int:
    return int(client.get("/usage").json()["month"]["requests"])


def test_what_was_answered_before_a_kill_is_told_again_and_what_was_not_is_done(
    tmp_path: Path,
) -> None:
    settings = {"DATA_DIR": str(tmp_path), "REQUEST_TIMEOUT_S": "1"}
    with start_server(settings, arguments=SCRIPTED) as server:
        headers = dict(server.headers)
        with server.client() as client:
            first = ask(client, "done", "Hello.")
            assert first.status_code == 200
            hanging = threading.Thread(target=lambda: _swallow(server, "cut"))
            hanging.start()
            time.sleep(0.3)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        hanging.join()
    with start_server(settings, arguments=SCRIPTED, keyed=False) as server:
        server.headers = headers
        with server.client() as client:
            again = ask(client, "done", "Hello.")
            assert again.headers["idempotency-replayed"] == "true"
            assert again.content == first.content
            refused = ask(client, "cut", "slow")
            assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_in_progress")
            assert int(refused.headers["retry-after"]) >= 1


def _swallow(server: Server, key: str) -> None:
    try:
        with server.client() as client:
            ask(client, key, "slow")
    except httpx.HTTPError:
        pass


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def test_two_services_do_it_once(postgres: PostgresServer, tmp_path: Path) -> None:
    common = {"DATABASE_URL": postgres.create("twice"), "SECRET_PEPPER": PEPPER}
    with (
        start_server({**common, "DATA_DIR": str(tmp_path / "a")}, arguments=SCRIPTED) as first,
        start_server(
            {**common, "DATA_DIR": str(tmp_path / "b")}, arguments=SCRIPTED, keyed=False
        ) as second,
    ):
        second.headers = first.headers
        with first.client() as one, second.client() as two:

            def until_answered(number: int) -> tuple[bytes, bool]:
                client = (one, two)[number % 2]
                for _ in range(100):
                    answer = ask(client, f"key-{number // 4}", f"text {number // 4}")
                    if answer.status_code == 200:
                        return answer.content, "idempotency-replayed" in answer.headers
                    assert answer.json()["code"] == "idempotency_in_progress"
                    time.sleep(0.02)
                raise AssertionError("never answered")

            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(until_answered, range(40)))
            assert sum(not replayed for _, replayed in answers) == 10
            assert len({content for content, _ in answers}) == 10
            end = time.monotonic() + 20
            while requests_of(one) != 10:
                assert time.monotonic() < end
                time.sleep(0.1)
