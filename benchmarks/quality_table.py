"""The tables of ``docs/QUALITY.md``, out of ``results/quality.json``.

``python -m benchmarks.quality_table`` puts them into the document; a test holds the two together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "quality.json"
DOCUMENT = Path(__file__).parent.parent / "docs" / "QUALITY.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def tables(figures: dict[str, Any]) -> str:
    """Both tables as Markdown."""
    lines = ["| direction | route | chrF2 | BLEU |", "|---|---|---|---|"]
    for key, row in figures["translation"].items():
        direction, _, route = key.partition(" by ")
        lines.append(f"| {direction} | {route} | {row['chrf2']:.1f} | {row['bleu']:.1f} |")
    lines += ["", "| language | word error rate | voices |", "|---|---|---|"]
    for language, row in figures["speech"].items():
        rate = f"{row['word_error_rate_percent']:.1f} %"
        lines.append(f"| {language} | {rate} | {', '.join(row['voices'])} |")
    return "\n".join(lines)


def kept() -> dict[str, Any]:
    """The committed figures."""
    figures: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return figures


def main() -> None:
    """Renew the figures of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{tables(kept())}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
