"""Where the page's sound comes from: another tab, or nowhere, when the browser allows none."""

from __future__ import annotations

import base64
import re

from playwright.sync_api import Page, Playwright, expect

from tests.browser.actions import SOON, SPOKEN, captions, listen
from tests.browser.chromium import launched_elsewhere, launched_for_tabs
from tests.support.recordings import path_of, word_error_rate
from tests.support.server import Server, start_server

ELSEWHERE = "talk.example"
SCRIPTED = ("-m", "tests.support.scripted_service")


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    page.locator("#live-source option:nth-child(2)").wait_for(state="attached", timeout=SOON)
    return page


def test_the_sound_of_another_tab_is_captioned(playwright: Playwright, server: Server) -> None:
    sound = base64.b64encode(path_of("0870").read_bytes()).decode()
    with (
        launched_for_tabs(playwright, "talk") as browser,
        browser.new_context(locale="en-US") as context,
    ):
        talk = context.new_page()
        talk.set_content(f'<title>talk</title><audio src="data:audio/wav;base64,{sound}"></audio>')
        page = opened(context.new_page(), server.url)
        page.select_option("#live-input", "shared")
        listen(page)
        expect(page.locator("#live-state")).to_have_text("listening", timeout=SOON)
        talk.evaluate("document.querySelector('audio').play()")
        expect(page.locator("#live-finals .source")).to_have_count(1, timeout=SOON)
        page.click("#live-stop")
        expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)
        assert word_error_rate([SPOKEN], [" ".join(captions(page, "source"))]) < 10


def test_a_tab_that_is_closed_ends_the_session(playwright: Playwright, server: Server) -> None:
    with (
        launched_for_tabs(playwright, "talk") as browser,
        browser.new_context(locale="en-US") as context,
    ):
        talk = context.new_page()
        talk.set_content("<title>talk</title>")
        page = opened(context.new_page(), server.url)
        page.select_option("#live-input", "shared")
        listen(page)
        expect(page.locator("#live-state")).to_have_text("listening", timeout=SOON)
        talk.close()
        expect(page.locator("#live-state")).to_have_text("ended", timeout=SOON)
        expect(page.locator("#live-start")).to_be_enabled()


def test_away_from_localhost_a_microphone_needs_https(playwright: Playwright) -> None:
    """The rest of the page works all the same."""
    trusted = {"TRUSTED_HOSTS": f'["{ELSEWHERE}"]', "ANONYMOUS_TIER": "free"}
    with (
        start_server(trusted, keyed=False, arguments=SCRIPTED) as server,
        launched_elsewhere(playwright, ELSEWHERE) as browser,
        browser.new_context(locale="en-US") as context,
    ):
        page = opened(context.new_page(), re.sub(r"127\.0\.0\.1", ELSEWHERE, server.url))
        expect(page.locator("#live-insecure")).to_contain_text("A microphone needs HTTPS")
        expect(page.locator("#live-start")).to_be_disabled()
        page.click("#tab-text")
        page.select_option("#text-source", "en")
        page.fill("#text-input", "Hello.")
        expect(page.locator("#text-copy")).to_be_enabled()
        page.click("#text-copy")
        expect(page.locator("#text-copy")).to_have_text("Copied")
        selected = page.evaluate("getSelection().toString()")
        assert selected == page.inner_text("#text-output")
