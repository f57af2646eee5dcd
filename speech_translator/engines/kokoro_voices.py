"""Kokoro's voices: what they are, where they lie, and the command that fetches them.

A voice is a table of styles, float32 [510, 1, 256]: one for each number of phonemes. All 54 come in
the npm package ``kokoro-js`` (Apache-2.0). ``python -m speech_translator.engines.kokoro_voices``
fetches it with whatever npm is at hand, checks the tarball's SHA-256, and takes the voices out of
it; nothing in the package is run (``kokoro_voices_fetch``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from speech_translator.engines.values import Samples, Voice
from speech_translator.errors import ModelDamaged

COMMAND = "python -m speech_translator.engines.kokoro_voices"
"""Fetches the voices."""

VOICES_SHA256 = "b89b16e8843463c5a16d45f3904df4c7d0d2a2fdb3997acfb1adc443ec4b4417"
"""Of the contents of all voices one after the other, in order of their names."""

ROWS, WIDTH = 510, 256
STYLE_BYTES = ROWS * WIDTH * 4

# Voices by language, region and gender, the best first by the grades in Kokoro's VOICES.md.
_VOICES = {
    "af": "heart bella nicole aoede kore sarah alloy nova sky jessica river",
    "am": "fenrir michael puck echo eric liam onyx santa adam",
    "bf": "emma isabella alice lily",
    "bm": "fable george lewis daniel",
    "ef": "dora",
    "em": "alex santa",
    "ff": "siwis",
    "hf": "alpha beta",
    "hm": "omega psi",
    "if": "sara",
    "im": "nicola",
    "jf": "alpha gongitsune nezumi tebukuro",
    "jm": "kumo",
    "pf": "dora",
    "pm": "alex santa",
    "zf": "xiaoxiao xiaobei xiaoni xiaoyi",
    "zm": "yunjian yunxi yunxia yunyang",
}
NAMES = tuple(f"{kind}_{name}" for kind, names in _VOICES.items() for name in names.split())
"""All voices, by file name without its ending; within a language the default comes first."""

_PLACES = {
    "a": ("en", "US"),
    "b": ("en", "GB"),
    "e": ("es", "ES"),
    "f": ("fr", "FR"),
    "h": ("hi", "IN"),
    "i": ("it", "IT"),
    "j": ("ja", "JP"),
    "p": ("pt", "BR"),
    "z": ("zh", "CN"),
}


def voice(name: str) -> Voice:
    """The voice of a file name: ``pf_dora`` is ``kokoro:pf_dora``, a woman from Brazil."""
    language, region = _PLACES[name[0]]
    gender: Literal["female", "male"] = "female" if name[1] == "f" else "male"
    shown = name.partition("_")[2].capitalize()
    return Voice(f"kokoro:{name}", shown, language, gender, region)


def installed(directory: Path) -> list[str]:
    """Names of the voices that lie in ``directory``, in order of preference."""
    return [name for name in NAMES if _is_whole(directory / f"{name}.bin")]


def style(directory: Path, name: str) -> Samples:
    """The styles of a voice, float32 [510, 1, 256].

    Raises:
        ModelDamaged: the file is not such a table any more.
    """
    table: Samples = np.fromfile(directory / f"{name}.bin", np.float32)
    if table.size != ROWS * WIDTH or not np.isfinite(table).all():
        raise ModelDamaged(f"Kokoro's voice {name} is damaged. Run: {COMMAND} --force")
    return table.reshape(ROWS, 1, WIDTH)


def _is_whole(path: Path) -> bool:
    try:
        return path.stat().st_size == STYLE_BYTES
    except OSError:
        return False


if __name__ == "__main__":
    import sys

    from speech_translator.engines.kokoro_voices_fetch import main

    sys.exit(main())
