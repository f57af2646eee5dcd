"""Requests sent again to real services: killed, stopped, and two at once on one database."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from benchmarks.metered_retries import measured
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
IN_FLIGHT = "speech_translator_http_requests_in_flight 2.0"
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
            # Its lease ends, and it is tried again: as far as its deadline allows.
            assert until_not_in_progress(client, "cut", "slow").status_code == 504
            assert until_not_in_progress(client, "cut", "slow").status_code == 504
            assert requests_of(client) == 1


def test_what_is_at_work_at_the_stop_is_told_again_after_it(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path)}
    with start_server(settings, arguments=SCRIPTED) as server:
        headers = dict(server.headers)
        answers: list[httpx.Response] = []
        with server.client() as client, server.client() as second:
            asking = threading.Thread(target=lambda: answers.append(ask(client, "k", "short")))
            asking.start()
            until(lambda: IN_FLIGHT in second.get("/metrics").text)
            server.process.send_signal(signal.SIGTERM)
            asking.join()
        server.process.wait()
    (first,) = answers
    with start_server(settings, arguments=SCRIPTED, keyed=False) as server:
        server.headers = headers
        with server.client() as client:
            again = ask(client, "k", "short")
            assert again.headers["idempotency-replayed"] == "true"
            assert again.content == first.content
            until(lambda: requests_of(client) == 1)


def test_a_client_that_leaves_has_nothing_done_nor_billed(tmp_path: Path) -> None:
    with start_server({"DATA_DIR": str(tmp_path)}, arguments=SCRIPTED) as server:
        with server.client(timeout=0.5) as client, pytest.raises(httpx.ReadTimeout):
            ask(client, "k", "short")
        with server.client() as client:
            answer = until_not_in_progress(client, "k", "short")
            assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (200, None)
            assert "given up" in server.log()
            assert requests_of(client) == 1


def until_not_in_progress(client: httpx.Client, key: str, text: str) -> httpx.Response:
    while (answer := ask(client, key, text)).status_code == 409:
        time.sleep(0.2)
    return answer


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


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
            until(lambda: requests_of(one) == 10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_usage_sums_exactly_over_retries_and_restarts(
    postgres: PostgresServer, tmp_path: Path, number: signal.Signals
) -> None:
    """A small form of ``benchmarks/metered_retries.py``."""
    run = measured(postgres.create(number.name.lower()), tmp_path, 60, number)
    assert run.used == run.expected
    assert not run.differing
    assert run.seen["replayed"] >= 20
