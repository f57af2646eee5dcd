"""Debian's Chromium with a microphone that hears a recording."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright


def launched(playwright: Playwright, sound: Path) -> Browser:
    """A browser whose microphone hears ``sound`` from the moment it is opened, once."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("`make test` installs the browser (apt-get install chromium).")
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}%noloop",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium starts no sandbox as root
    ]
    return playwright.chromium.launch(executable_path=program, args=arguments)
