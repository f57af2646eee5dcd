"""Debian's Chromium with something to hear."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright


def launched(playwright: Playwright, sound: Path) -> Browser:
    """A browser whose microphone hears ``sound`` from the moment it is opened, once."""
    return _launched(
        playwright,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}%noloop",
    )


def launched_for_tabs(playwright: Playwright, title: str) -> Browser:
    """A browser that shares the tab of that title when it is asked to share one."""
    return _launched(
        playwright,
        f"--auto-select-tab-capture-source-by-title={title}",
        "--autoplay-policy=no-user-gesture-required",
    )


def launched_elsewhere(playwright: Playwright, name: str) -> Browser:
    """A browser for which this machine is another one, of that name."""
    return _launched(playwright, f"--host-resolver-rules=MAP {name} 127.0.0.1")


def _launched(playwright: Playwright, *arguments: str) -> Browser:
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("`make test` installs the browser (apt-get install chromium).")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it starts none as root
    return playwright.chromium.launch(
        executable_path=program,
        args=[*arguments, *sandbox],
        ignore_default_args=["--mute-audio"],  # a muted tab has no sound to share
    )
