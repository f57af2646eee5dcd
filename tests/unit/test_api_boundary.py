"""Foreign hosts and other sites' pages, on HTTP and on WebSocket."""

import pytest

from speech_translator.api.middleware import Boundary, BoundaryConfig
from speech_translator.settings import Settings

LOCAL = BoundaryConfig.from_settings(
    Settings(host="127.0.0.1", trusted_hosts=("Translate.example",))
)
EVERYWHERE = BoundaryConfig.from_settings(Settings(host="0.0.0.0"))


async def outcome(config, headers, *, kind="http", method="POST", version="1.1", extensions=()):
    """``passed``, or the messages that refuse."""
    sent = []

    async def app(scope, receive, send):
        sent.append("passed")

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "path": "/translate/text",
        "http_version": version,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "extensions": {name: {} for name in extensions},
        "state": {"request_id": "abc"},
    }
    if kind == "http":
        scope["method"] = method
    await Boundary(app, LOCAL if config is None else config)(scope, None, send)
    return sent[0] if sent[0] == "passed" else sent


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST", "localhost.",
     "translate.example"],
)  # fmt: skip
async def test_our_own_names_are_answered(host):
    assert await outcome(LOCAL, [("host", host)]) == "passed"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8000", "127.0.0.1.evil.example",
     "192.168.1.5", "localhost:x", "a@localhost", "localhost/x", "[::1", "", " "],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_other_names_are_refused(host, kind):
    assert await outcome(LOCAL, [("host", host)], kind=kind) != "passed"


async def test_a_refusal_is_a_problem_document():
    start, _ = await outcome(LOCAL, [("host", "evil.example")])
    assert start["status"] == 421
    assert (b"content-type", b"application/problem+json") in start["headers"]


async def test_a_server_on_all_interfaces_takes_addresses_but_no_strange_names():
    for host in ("192.168.1.5:8000", "[fe80::1]", "localhost"):
        assert await outcome(EVERYWHERE, [("host", host)]) == "passed"
    assert await outcome(EVERYWHERE, [("host", "evil.example")]) != "passed"


async def test_a_star_turns_the_check_off():
    config = BoundaryConfig.from_settings(Settings(trusted_hosts=("*",)))
    assert await outcome(config, [("host", "anything.example")]) == "passed"


async def test_one_host_header_is_needed_except_in_http_1_0():
    assert await outcome(LOCAL, [], version="1.0") == "passed"
    assert await outcome(LOCAL, []) != "passed"
    assert await outcome(LOCAL, [("host", "localhost"), ("host", "localhost")]) != "passed"


@pytest.mark.parametrize(
    "headers",
    [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("origin", "http://localhost:3000")],
        [("origin", "http://localhost:99999")],
        [("origin", "http://localhost:8000"), ("sec-fetch-site", "cross-site")],
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_other_sites_pages_cannot_post_or_open_sockets(headers, kind):
    assert await outcome(LOCAL, [("host", "localhost:8000"), *headers], kind=kind) != "passed"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("origin", "http://localhost:8000")],
        [("origin", "http://localhost:8000"), ("sec-fetch-site", "same-origin")],
        [("sec-fetch-site", "none")],
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_our_own_page_and_programs_may(headers, kind):
    assert await outcome(LOCAL, [("host", "localhost:8000"), *headers], kind=kind) == "passed"


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_an_origin_that_is_named_may_too_and_it_alone(kind):
    config = BoundaryConfig.from_settings(Settings(cors_origins=("https://app.example",)))
    host, page = ("host", "localhost"), ("origin", "https://app.example")
    across = ("sec-fetch-site", "cross-site")
    assert await outcome(config, [host, page, across], kind=kind) == "passed"
    for headers in ([host, across], [host, ("origin", "https://evil.example")], [host, page, page]):
        assert await outcome(config, headers, kind=kind) != "passed"
    assert await outcome(config, [("host", "evil.example"), page], kind=kind) != "passed"


async def test_default_ports_are_the_same_origin():
    assert (
        await outcome(LOCAL, [("host", "localhost"), ("origin", "http://localhost:80")]) == "passed"
    )
    assert (
        await outcome(LOCAL, [("host", "localhost"), ("origin", "https://localhost")]) == "passed"
    )


async def test_reading_from_another_site_is_left_to_the_browsers_own_policy():
    headers = [("host", "localhost"), ("sec-fetch-site", "cross-site")]
    assert await outcome(LOCAL, headers, method="GET") == "passed"


async def test_a_refused_handshake_is_answered_in_http_where_the_server_can():
    headers = [("host", "evil.example")]
    closed = await outcome(LOCAL, headers, kind="websocket")
    assert closed[0]["type"] == "websocket.close"
    answered = await outcome(
        LOCAL, headers, kind="websocket", extensions=("websocket.http.response",)
    )
    assert answered[0]["type"] == "websocket.http.response.start"
    assert answered[0]["status"] == 421


async def test_the_lifespan_passes():
    passed = []

    async def app(scope, receive, send):
        passed.append(scope["type"])

    await Boundary(app, LOCAL)({"type": "lifespan"}, None, None)
    assert passed == ["lifespan"]
