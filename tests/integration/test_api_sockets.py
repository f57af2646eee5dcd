"""The server on real sockets, over scripted engines: clients that are slow, rude or gone."""

import json
import re
import socket
import time

import pytest

from tests.support.server import start_server

BODY = {"text": "Hello", "source_language": "en", "target_language": "pt"}
LIMITS = {
    "ANONYMOUS_TIER": "admin",
    "HEADER_TIMEOUT_S": "1",
    "BODY_TIMEOUT_S": "1",
    "MAX_BODY_BYTES": "100000",
    "MAX_UPLOAD_BYTES": "200000",
    "SHUTDOWN_GRACE_S": "5",
}


@pytest.fixture(scope="module")
def service():
    arguments = ("-m", "tests.support.scripted_service")
    with start_server(LIMITS, arguments=arguments) as running:
        yield running


def connect(service):
    host, port = re.match(r"http://(.+):(\d+)", service.url).groups()
    return socket.create_connection((host, int(port)), timeout=10)


def read_all(connection):
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def request(*lines, path="/translate/text"):
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def still_serves(service):
    with service.client() as client:
        assert client.post("/translate/text", json=BODY).json()["translation"] == "pt:Hello"


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("sent", [b"", b"POST /translate/text HTTP/1.1\r\nHost: loc", b"\r\n\r\n"])
def test_half_a_head_is_given_up(service, sent):
    with connect(service) as connection:
        connection.sendall(sent)
        assert read_all(connection) == b""
    still_serves(service)


def test_half_a_body_is_given_up_with_a_408(service):
    with connect(service) as connection:
        connection.sendall(request("Content-Type: application/json", "Content-Length: 90") + b"{")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_timeout"' in answer
    still_serves(service)


def test_an_endless_header_is_refused(service):
    with connect(service) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        with pytest.raises(OSError):  # noqa: PT011 # reset, whatever the platform calls it
            connection.sendall(b"a" * 50_000_000)
    still_serves(service)


def test_what_is_not_http_gets_a_400(service):
    with connect(service) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert read_all(connection).startswith(b"HTTP/1.1 400")
    still_serves(service)


def test_a_body_over_the_cap_is_refused_while_it_is_sent(service):
    with connect(service) as connection:
        head = request("Content-Type: application/json", "Transfer-Encoding: chunked")
        connection.sendall(head + b"2710\r\n" + b" " * 10_000 + b"\r\n")
        for _ in range(15):
            connection.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert b'"code":"payload_too_large"' in read_all(connection)
    still_serves(service)


def test_a_client_that_asks_first_is_refused_before_it_sends(service):
    with connect(service) as connection:
        connection.sendall(
            request(
                "Content-Type: application/json", "Content-Length: 9999999", "Expect: 100-continue"
            )
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")


def test_uploads_over_the_cap_are_answered_also_to_clients_that_send_first(service):
    with service.client() as client:
        files = {"file": ("a.wav", bytes(3_000_000))}
        answer = client.post("/transcribe/audio", files=files)
    assert answer.status_code == 413
    assert answer.json()["code"] == "payload_too_large"
    still_serves(service)


def test_half_a_form_is_given_up_with_a_408(service):
    head = request(
        "Content-Type: multipart/form-data; boundary=b",
        "Content-Length: 9000",
        path="/transcribe/audio",
    )
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'
    with connect(service) as connection:
        connection.sendall(head + part)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_timeout"' in answer
    still_serves(service)


@pytest.mark.parametrize("sent", [60, 150])
def test_half_a_handshake_is_given_up(service, sent):
    handshake = (
        b"GET /translate/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with connect(service) as connection:
        for byte in handshake[:sent]:
            connection.sendall(bytes([byte]))
        assert read_all(connection) == b""
    still_serves(service)


@pytest.fixture(scope="module")
def guarded():
    """The same, for those who have a key."""
    arguments = ("-m", "tests.support.scripted_service")
    limits = {name: value for name, value in LIMITS.items() if name != "ANONYMOUS_TIER"}
    with start_server(limits, arguments=arguments) as running:
        yield running


def last_request(running):
    """What the log says of the request that ended last."""
    lines = [line for line in running.log().splitlines() if '"event":"request"' in line]
    return json.loads(lines[-1])


@pytest.mark.parametrize("path", ["/translate/text", "/transcribe/audio", "/auth/api-key"])
def test_a_stranger_who_declares_too_much_is_refused_at_once_and_unread(guarded, path):
    kind = "multipart/form-data; boundary=b" if "audio" in path else "application/json"
    head = request(
        f"Content-Type: {kind}", "Content-Length: 99999999", "X-API-Key: st_live_a_b_c", path=path
    )
    with connect(guarded) as connection:
        connection.sendall(head)
        answer = connection.recv(65536)  # with not a byte of the body sent
        assert answer.startswith(b"HTTP/1.1 413")
        connection.sendall(b"x" * 500_000)  # runs out, and is cut off in the end
        assert b"HTTP/1.1" not in read_all(connection)
    line = last_request(guarded)
    assert (line["status"], line["bytes_in"], line["owner"]) == (413, 0, "anonymous")


def test_nothing_is_read_of_a_stranger_who_declares_nothing(guarded):
    with connect(guarded) as connection:
        connection.sendall(request("Content-Type: application/json", "Transfer-Encoding: chunked"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")
        read_all(connection)  # until it is cut off
    line = last_request(guarded)
    assert (line["status"], line["bytes_in"]) == (401, 0)


def test_a_client_that_leaves_cancels_its_work(service):
    body = json.dumps({**BODY, "text": "slow"}).encode()
    before = service.log().count("given up")
    with connect(service) as connection:
        connection.sendall(
            request("Content-Type: application/json", f"Content-Length: {len(body)}") + body
        )
        time.sleep(0.2)
    until(lambda: service.log().count("given up") == before + 1)
    until(lambda: '"status":499' in service.log())
    still_serves(service)


def test_a_deadline_of_the_callers_own_is_kept(service):
    with service.client() as client:
        began = time.monotonic()
        answer = client.post(
            "/translate/text", json={**BODY, "text": "slow"}, headers={"X-Request-Timeout": "0.3"}
        )
        assert time.monotonic() - began < 10
    assert answer.status_code == 504
    assert answer.json()["code"] == "deadline_exceeded"


def test_requests_one_after_another_on_one_connection(service):
    body = json.dumps(BODY).encode()
    one = request("Content-Type: application/json", f"Content-Length: {len(body)}") + body
    last = one.replace(b"Host: localhost", b"Host: localhost\r\nConnection: close")
    with connect(service) as connection:
        connection.sendall(one * 3 + last)
        assert read_all(connection).count(b'"translation":"pt:Hello"') == 4


def test_the_server_says_little_of_itself(service):
    with service.client() as client:
        headers = client.get("/").headers
    assert "server" not in headers
    assert "x-powered-by" not in headers


def test_head_has_a_length_and_no_body(service):
    with connect(service) as connection:
        connection.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""


def test_a_port_that_is_taken_is_said_before_anything_starts(service):
    with (
        pytest.raises(RuntimeError) as raised,
        start_server({"PORT": service.url.rpartition(":")[2]}),
    ):
        pass
    assert "Cannot listen on 127.0.0.1" in str(raised.value)
    assert "ended with 5" in str(raised.value)
