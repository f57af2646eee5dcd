"""Where Apertium's pairs are installed, and whether any is. Imports nothing else of the engine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

MODES = Path("/usr/share/apertium/modes")
"""Where Debian's packages put the pairs."""


def available(modes: Path = MODES) -> bool:
    """Whether APy and at least one pair are installed; cheap."""
    return find_spec("apertium_apy") is not None and any(modes.glob("*-*.mode"))
