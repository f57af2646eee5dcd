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


@pytest.fixture(params=["", "free"], ids=["keys alone", "everybody"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    tier = {"ANONYMOUS_TIER": request.param} if request.param else {}
    with start_server({**ELSEWHERE, **tier}, keyed=False, arguments=SCRIPTED) as running:
        yield running


@pytest.fixture
def open_to_all(server: Server) -> bool:
    asked = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    with server.client() as client:
        return client.post("/translate/text", json=asked).is_success


def test_both_kinds_of_service_are_there(open_to_all: bool, request: pytest.FixtureRequest) -> None:
    assert open_to_all == ("everybody" in request.node.name)


def test_a_key_is_asked_for_where_one_is_needed(open_page: OpenPage, open_to_all: bool) -> None:
    page = open_page(expected="401")
    needed = "No key is needed here." if open_to_all else "This service needs an API key."
    expect(page.locator("#key-state")).to_have_text(needed)
    expect(page.locator("#key")).to_be_visible(visible=not open_to_all)
    page.click("#live-start")
    state = "listening" if open_to_all else "ended"
    expect(page.locator("#live-state")).to_have_text(state)
    if open_to_all:
        page.click("#live-stop")
        expect(page.locator("#live-state")).to_have_text("ended")


def test_text_is_translated_where_no_key_is_needed(open_page: OpenPage, open_to_all: bool) -> None:
    page = open_page("#text", expected="401")
    page.select_option("#text-source", "en")
    page.fill("#text-input", "Hello.")
    if open_to_all:
        expect(page.locator("#text-copy")).to_be_enabled()
    else:
        expect(page.locator("#text-problem")).to_have_text("This service needs an API key.")
