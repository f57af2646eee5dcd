"""Pages of other sites: none, but those whose origin is named exactly."""

import pytest

from speech_translator.errors import ConfigurationError
from speech_translator.security.cors import parse_origins
from tests.support.api import running

APP = "https://app.example"
ASK = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
WANTED = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
OTHERS = ["https://evil.example", "http://app.example", "https://app.example:8443",
          "https://app.example.evil.example", "https://APP.example", "null", ""]  # fmt: skip


async def preflight(running_app, origin, **headers):
    return await running_app.client.options(
        "/translate/text", headers={"Origin": origin, **ASK, **headers}
    )


async def post(running_app, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await running_app.client.post("/translate/text", json=WANTED, headers=named)


def allows(answer):
    return [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", [APP, *OTHERS])
async def test_as_it_comes_no_page_of_another_site_may_ask(origin):
    async with running() as app:
        asked, sent = await preflight(app, origin), await post(app, origin=origin)
        assert (asked.status_code, sent.status_code) == (405, 403)
        assert allows(asked) == allows(sent) == []
        assert "origin" not in asked.headers.get("vary", "").lower()


async def test_a_named_origin_may_ask_send_and_read():
    async with running(cors_origins=(APP,)) as app:
        asked = await preflight(app, APP)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == APP
        assert "POST" in asked.headers["access-control-allow-methods"]
        assert "X-API-Key" in asked.headers["access-control-allow-headers"]
        assert "Origin" in asked.headers["vary"]
        assert asked.headers["x-request-id"]
        sent = await post(app, origin=APP, sec_fetch_site="cross-site")
        assert sent.status_code == 200
        assert sent.headers["access-control-allow-origin"] == APP
        shown = sent.headers["access-control-expose-headers"].split(", ")
        assert {"RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"} <= set(shown)


async def test_cookies_are_never_allowed_along():
    async with running(cors_origins=(APP,)) as app:
        for answer in (await preflight(app, APP), await post(app, origin=APP)):
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", OTHERS)
async def test_all_others_stay_refused(origin):
    async with running(cors_origins=(APP,)) as app:
        asked, sent = await preflight(app, origin), await post(app, origin=origin)
        assert (asked.status_code, sent.status_code) == (405, 403)
        assert allows(asked) == allows(sent) == []
        assert asked.headers["vary"] == sent.headers["vary"] == "Origin"


async def test_a_page_that_hides_its_origin_or_gives_two_stays_refused():
    async with running(cors_origins=(APP,)) as app:
        assert (await post(app, sec_fetch_site="cross-site")).status_code == 403
        two = [("Origin", APP), ("Origin", "https://evil.example")]
        answer = await app.client.post("/translate/text", json=WANTED, headers=two)
        assert answer.status_code == 403


async def test_a_named_origin_reads_what_refuses_it():
    async with running(cors_origins=(APP,), anonymous_tier=None) as app:
        refused = await post(app, origin=APP)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == APP


async def test_a_named_origin_gets_no_key_and_no_token_without_one():
    async with running(cors_origins=(APP,)) as app:
        for path in ("/auth/api-key", "/auth/token"):
            body = {"user_id": "x"} if path == "/auth/api-key" else {}
            answer = await app.client.post(path, json=body, headers={"Origin": APP})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "https://*.example", "https://app.example/", "https://app.example/page",
     "app.example", "ftp://app.example", "https://App.example", "https://app.example:443",
     "http://app.example:80", "https://a@app.example", "https://app.example:99999", ""],
)  # fmt: skip
def test_what_no_browser_would_write_is_refused_at_the_start(origin):
    with pytest.raises(ConfigurationError, match="CORS_ORIGINS"):
        parse_origins([origin])


def test_origins_as_browsers_write_them():
    named = ["https://app.example", "http://localhost:3000", "http://[::1]:3000"]
    assert parse_origins(named) == frozenset(named)
