"""What browsers are told, in any application and by every kind of answer."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient

from speech_translator.errors import ConfigurationError
from speech_translator.security import SecurityHeaders
from speech_translator.security.security_headers import SecurityHeadersConfig

POLICY = "default-src 'none'; script-src 'self'"


def application(*, inner=None, **config):
    async def plain(_request):
        return Response("text")

    async def page(_request):
        return Response("page", headers={"Content-Security-Policy": POLICY})

    async def live(socket):
        await socket.accept()
        await socket.close()

    routes = [Route("/", plain), Route("/page", page), WebSocketRoute("/live", live)]
    return Starlette(
        routes=[*routes, *([Mount("/inner", inner)] if inner else [])],
        middleware=[Middleware(SecurityHeaders, config=SecurityHeadersConfig(**config))],
    )


async def answer(path="/", *, scheme="http", **config):
    transport = httpx.ASGITransport(application(**config))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://here") as client:
        return (await client.get(path)).headers


@pytest.mark.parametrize("path", ["/", "/missing"])
async def test_every_answer_is_told_the_strictest(path):
    headers = await answer(path)
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_the_microphone_and_shared_sound_are_for_our_own_page_and_the_rest_for_none():
    allowed = dict(
        entry.strip().split("=") for entry in (await answer())["permissions-policy"].split(",")
    )
    assert allowed.pop("microphone") == allowed.pop("display-capture") == "(self)"
    assert set(allowed.values()) == {"()"}
    assert {"camera", "geolocation"} <= set(allowed)


async def test_a_route_that_brings_a_policy_keeps_it():
    assert (await answer("/page")).get_list("content-security-policy") == [POLICY]


async def test_tls_is_asked_for_over_tls_alone():
    assert "strict-transport-security" not in await answer()
    secure = await answer(scheme="https")
    assert secure["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in await answer(scheme="https", hsts_max_age_s=0)


async def test_one_application_within_another_says_each_once():
    headers = await answer("/inner/page", inner=application())
    assert headers.get_list("content-security-policy") == [POLICY]
    assert len(headers.get_list("x-frame-options")) == 1


async def test_an_empty_text_leaves_a_header_out():
    assert "referrer-policy" not in await answer(referrer_policy="")


def test_a_handshake_is_told_too():
    with TestClient(application()) as client, client.websocket_connect("wss://here/live") as live:
        names = dict(live.extra_headers or ())
    assert names[b"x-content-type-options"] == b"nosniff"
    assert b"strict-transport-security" in names


@pytest.mark.parametrize(
    "config",
    [
        {"content_security_policy": "script-src 'unsafe-inline'"},
        {"content_security_policy": "script-src 'Unsafe-Eval'"},
        {"referrer_policy": "no-referrer\r\nset-cookie: a=b"},
        {"permissions_policy": "microphone=(é)"},
    ],
)
def test_a_policy_that_lets_code_in_and_a_value_that_is_none_are_refused(config):
    with pytest.raises(ConfigurationError):
        SecurityHeadersConfig(**config)
