"""Debian's Chromium over one real service. Every page must leave its console without an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from speech_translator.api.pages import PAGE_POLICY
from tests.browser.chromium import launched
from tests.browser.served import serve_files
from tests.support.recordings import path_of
from tests.support.server import Server, start_server

MODELS_S = 60_000
"""Milliseconds that a page may wait for the languages of a service that is ready."""

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The service as it starts in development: this machine needs no key."""
    with start_server(keyed=False) as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """With a microphone that hears one recorded sentence."""
    with launched(playwright, path_of("0870")) as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[OpenPage]:
    """Opens the page once its languages are there; no page may log an error or break its policy.

    ``expected`` is a pattern of errors that may be logged.
    """
    faults: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            faults.append(message.text)

    def opened(
        path: str = "",
        url: str = server.url,
        expected: str = "",
        ready: str = "#live-source option:nth-child(2)",
        **options: object,
    ) -> Page:
        context = browser.new_context(**{"locale": "en-US", **options})  # type: ignore[arg-type]
        contexts.append((context, expected))
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{url}/{path}")
        page.locator(ready).wait_for(state="attached", timeout=MODELS_S)
        return page

    yield opened
    expected = [text for _, text in contexts if text]
    for context, _ in contexts:
        context.close()
    assert [fault for fault in faults if not any(re.search(text, fault) for text in expected)] == []


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page without anything, under the policy of ours, beside the modules."""
    with serve_files(PAGE_POLICY) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        yield page
