"""The page before services that need a key, and before those that let everybody in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
ELSEWHERE = {"BOOTSTRAP_NETWORKS": '["192.0.2.0/24"]'}
"""Development trusts its own machine, by default the browser's."""


@pytest.fixture(params=["", "free"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One that nobody gets into without a key, and one that lets everybody in."""
    tier = {"ANONYMOUS_TIER": request.param} if request.param else {}
    with start_server({**ELSEWHERE, **tier}, keyed=False, arguments=SCRIPTED) as running:
        yield running


def test_a_key_is_asked_for_where_one_is_needed(open_page: OpenPage, server: Server) -> None:
    page = open_page("#text", expected="401")
    said = page.locator("#key-state")
    with server.client() as client:
        anybody = client.get("/usage").is_success
    if not anybody:
        expect(said).to_have_text("This service needs an API key.")
        expect(page.locator("#key")).to_be_visible()
        return
    expect(said).to_have_text("No key is needed here.")
    expect(page.locator("#key")).to_be_hidden()
    page.select_option("#text-source", "en")
    page.fill("#text-input", "Hello.")
    expect(page.locator("#text-copy")).to_be_enabled()
    page.click("#tab-live")
    page.click("#live-start")
    expect(page.locator("#live-state")).to_have_text("listening")
    page.click("#live-stop")
    expect(page.locator("#live-state")).to_have_text("ended")
