"""What the page calls itself and looks like where an operator gives it a name, a colour or a logo.

A colour serves text, buttons and marks, so it is made darker on light pages and lighter on dark
ones, as far as it takes to be read (WCAG 2.2, contrast of 4.5 to 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from speech_translator.errors import ConfigurationError
from speech_translator.settings import Settings

Colour = tuple[int, int, int]

LOGO_TYPES: Mapping[str, str] = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
}
_NAME = '<meta name="application-name" content="">'
_LIGHT: Colour = (247, 248, 251)
_DARK: Colour = (27, 31, 40)
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_ENOUGH = 4.5
_STEPS = 20


@dataclass(frozen=True, slots=True)
class Brand:
    """A name, a colour such as ``#1a56db`` and an image file; empty or None for our own.

    Raises:
        ConfigurationError: it is no such colour, or no image that browsers show.
    """

    name: str = ""
    colour: str = ""
    logo: Path | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.colour and not re.fullmatch(r"#[0-9a-fA-F]{6}", self.colour):
            raise ConfigurationError("PAGE_COLOUR must be a colour such as #1a56db.")
        if self.logo and not (self.logo.suffix.lower() in LOGO_TYPES and self.logo.is_file()):
            kinds = ", ".join(LOGO_TYPES)
            raise ConfigurationError(f"PAGE_LOGO must name a file that is there: {kinds}.")

    @classmethod
    def from_settings(cls, settings: Settings) -> Brand:
        """As the operator set it."""
        return cls(settings.page_name or "", settings.page_colour or "", settings.page_logo)

    def html(self, page: str) -> str:
        """A page of ours with the name in it."""
        return page.replace(_NAME, _NAME.replace('""', f'"{escape(self.name)}"'))

    def css(self) -> str:
        """What the colour changes of our style."""
        if not self.colour:
            return ""
        red, green, blue = (int(self.colour[place : place + 2], 16) for place in (1, 3, 5))
        light = _rules(_readable((red, green, blue), _LIGHT, _BLACK))
        dark = _rules(_readable((red, green, blue), _DARK, _WHITE))
        return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"


def contrast(one: Colour, other: Colour) -> float:
    """Contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _rules(accent: Colour) -> str:
    on_accent = max((_WHITE, _BLACK), key=lambda colour: contrast(colour, accent))
    return f":root {{ --accent: rgb{accent}; --on-accent: rgb{on_accent}; }}"


def _readable(colour: Colour, behind: Colour, towards: Colour) -> Colour:
    """The colour, taken no further towards another than it takes to be read."""
    for step in range(_STEPS + 1):
        red, green, blue = (
            round(a + (b - a) * step / _STEPS) for a, b in zip(colour, towards, strict=True)
        )
        if contrast((red, green, blue), behind) >= _ENOUGH:
            return red, green, blue
    return towards


def _luminance(colour: Colour) -> float:
    parts = [value / 255 for value in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  sRGB
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
