"""The whole service under a prefix of another application."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from speech_translator.security import AnswerHeaders
from tests.support.api import running

HTML = {"Accept": "text/html"}
TEXT = {"text": "Hello.", "source_language": "en", "target_language": "pt"}


@pytest.fixture
async def api(tmp_path):
    async with running(data_dir=tmp_path) as harness:
        outer = Starlette(
            routes=[Mount("/speech", harness.app)], middleware=[Middleware(AnswerHeaders)]
        )
        transport = httpx.ASGITransport(app=outer)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            harness.client = client
            yield harness


async def test_it_works_and_its_answers_say_everything_once(api):
    answer = await api.client.post("/speech/translate/text", json=TEXT)
    assert answer.status_code == 200
    assert answer.headers.get_list("x-request-id") == [answer.json()["request_id"]]
    missing = await api.client.get("/speech/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("page", ["/speech/", "/speech/docs"])
async def test_all_that_a_page_refers_to_is_there(api, page):
    html = (await api.client.get(page, headers=HTML)).text
    found = [urljoin(page, name) for name in re.findall(r'(?:href|src)="([^"]+)"', html)]
    assert len(found) >= 4
    for script in [name for name in found if name.endswith(".js")]:
        code = (await api.client.get(script)).text
        found += [urljoin(page, name) for name in re.findall(r'(?:fetch\(|url: )"([^"]+)"', code)]
    for address in found:
        status = (await api.client.get(address)).status_code
        assert status in {200, 405}, address


async def test_what_it_says_of_its_addresses_has_the_prefix(api):
    links = (await api.client.get("/speech/")).json()["links"]
    assert links["openapi"] == "/speech/openapi.json"
    document = (await api.client.get(links["openapi"])).json()
    assert document["servers"] == [{"url": "/speech"}]


async def test_probes_are_answered_while_it_stops(api):
    api.app.state.api.drain()
    assert (await api.client.get("/speech/health/live")).status_code == 200
    assert (await api.client.get("/speech/languages")).status_code == 503
