"""Takes the pictures of the page under ``docs/images/``, from real speech over the real service.

Run as ``python -m tests.browser.screenshots``; names given as arguments pick some.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.actions import PHONE, SOON, listen
from tests.browser.chromium import launched
from tests.support.recordings import SAMPLE_RATE, joined, librivox
from tests.support.server import ROOT, Server, start_server

FOLDER = ROOT / "docs" / "images"
DESKTOP = {"width": 1120, "height": 760}
SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES = ("light", "dark")
LONG = 60_000
TEXT = (
    "Good morning, and welcome to all of you. Today we talk about speech translation: how it "
    "works, and what it is good for."
)


@dataclass
class Studio:
    """Takes pictures; ``wanted`` are the beginnings of their names, all of them when empty."""

    browser: Browser
    server: Server
    wanted: Collection[str]

    def wants(self, *names: str) -> bool:
        """Whether one of these pictures is to be taken."""
        return not self.wanted or any(
            a.startswith(b) or b.startswith(a) for a in names for b in self.wanted
        )

    @contextmanager
    def page(self, path: str, **options: Any) -> Iterator[Page]:
        """The page, with its languages in it."""
        size = options.pop("viewport", DESKTOP)
        with self.browser.new_context(
            locale="en-US",
            viewport=size,
            device_scale_factor=1.5,
            reduced_motion="reduce",  # no colour is caught half-way to another
            **options,
        ) as context:
            page = context.new_page()
            page.goto(f"{self.server.url}/{path}")
            if not path.startswith("captions"):
                ready = page.locator("#live-source option:nth-child(2)")
                ready.wait_for(state="attached", timeout=LONG)
            yield page

    def shoot(self, page: Page, name: str) -> None:
        """One picture as the page is."""
        if self.wants(name):
            page.screenshot(path=FOLDER / f"{name}.png")

    def shoot_all(self, page: Page, name: str) -> None:
        """The same page on a desk and on a phone, light and dark."""
        for device, size in SIZES.items():
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                self.shoot(page, f"{name}-{device}-{scheme}")
        page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]


def live(studio: Studio) -> None:
    """A speaker, and somebody who reads along."""
    with studio.page("", color_scheme="light") as speaker:
        listen(speaker, share=True)
        link = speaker.locator("#live-link-address")
        expect(link).to_be_visible(timeout=SOON)
        with studio.page(link.input_value().removeprefix(f"{studio.server.url}/")) as reader:
            expect(speaker.locator("#live-finals .caption")).to_have_count(3, timeout=LONG)
            expect(speaker.locator("#live-partials .held")).to_be_visible(timeout=LONG)
            studio.shoot_all(speaker, "live")
            expect(reader.locator("#reader-finals .caption")).to_have_count(5, timeout=LONG)
            reader.select_option("#reader-language", "pt")
            studio.shoot_all(reader, "reader")
            speaker.click("#live-present")
            studio.shoot(speaker, "presenter")


def text(studio: Studio) -> None:
    """A text that was typed."""
    with studio.page("#text") as page:
        page.select_option("#text-target", "pt")
        page.fill("#text-input", TEXT)
        expect(page.locator("#text-output")).to_contain_text("Bom dia", timeout=SOON)
        studio.shoot_all(page, "text")


def files(studio: Studio, talk: Path) -> None:
    """A recording that was read, while it is played."""
    with studio.page("#files") as page:
        page.select_option("#files-source", "en")
        page.select_option("#files-target", "pt")
        page.set_input_files("#files-input", talk)
        expect(page.locator("#files-segments li").nth(2)).to_be_visible(timeout=LONG)
        page.locator("#files-segments li").nth(1).locator("button").click()
        expect(page.locator("#files-segments li").nth(1)).to_have_attribute("aria-current", "true")
        page.evaluate("document.getElementById('files-player').pause()")
        studio.shoot_all(page, "files")


def main(names: Collection[str]) -> None:
    """Take those that are named."""
    talk = joined(librivox(), 1.2)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "talk.wav")
        with wave.open(str(file), "wb") as out:
            out.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            out.writeframes((talk.samples * 32767).astype("<i2").tobytes())
        with (
            start_server(keyed=False) as server,
            sync_playwright() as playwright,
            launched(playwright, file) as browser,
        ):
            studio = Studio(browser, server, names)
            if studio.wants("live", "reader", "presenter"):
                live(studio)
            if studio.wants("text"):
                text(studio)
            if studio.wants("files"):
                files(studio, file)


if __name__ == "__main__":
    main(sys.argv[1:])
