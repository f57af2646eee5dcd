"""What tests do with the page, and what they look at."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.recordings import librivox

SPOKEN = librivox()[0].text
"""What the browser's microphone hears."""

HOSTILE = "<img src=x onerror=\"document.title='broken into'\"><b>bold</b>"
SOON = 30_000
PHONE = {"width": 360, "height": 740}
_GRAVE = {"serious", "critical"}


def listen(
    page: Page,
    *,
    source: str = "en",
    target: str = "pt",
    speak: bool = False,
    share: bool = False,
) -> None:
    """Start a live session."""
    page.select_option("#live-source", source)
    page.select_option("#live-target", target)
    page.set_checked("#live-speech", speak)
    page.set_checked("#live-share", share)
    page.click("#live-start")


def saved_bytes(page: Page, button: str) -> tuple[str, bytes]:
    """The name and the content of what a button saves."""
    with page.expect_download() as downloading:
        page.click(button)
    file = downloading.value
    return file.suggested_filename, file.path().read_bytes()


def saved(page: Page, button: str) -> tuple[str, str]:
    """The same, of a text."""
    name, data = saved_bytes(page, button)
    return name, data.decode()


def captions(page: Page, kind: str, place: str = "#live-finals") -> list[str]:
    """The texts of the finals: `source` or `translation`."""
    return page.locator(f"{place} .{kind}").all_inner_texts()


def faults_of(page: Page) -> list[Any]:
    """Serious faults of accessibility, and whether the page is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found: list[Any] = [("too wide", wide)] if wide > 0 else []
    return found + [
        (page.url.partition("#")[2], fault["id"], [node["target"] for node in fault["nodes"]])
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in _GRAVE
    ]
