"""What must survive a translation, over thousands of generated texts and the real engines.

Texts with placeholders, addresses, code, emoji, numbers, glossary terms, tags, capitals and line
breaks (``tests/support/text_cases.py``) go through the service's plan and each embedded direction.
The bar is that nothing protected is lost, nothing is refused, and line breaks stay where they were.
``pieces`` is the share of texts for which an engine had to be asked again, because it had lost a
marker or a number. Digits that are not part of a placeholder are the engine's to write;
``digits`` is the share of sentences with a number whose digits all came back. The same seed gives
the same texts; the exit status is 1 where the bar is missed.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks import report, translation
from speech_translator.languages import Language
from tests.support.plans import run_plan
from tests.support.text_cases import (
    cases,
    digits_kept,
    missing,
    shape,
    shouted_and_broken,
    with_numbers,
)

DIRECTIONS = (("en", "pt"), ("pt", "en"))


def measured(engines: translation.Engines, pair: tuple[str, str], count: int) -> dict[str, Any]:
    """The figures of one direction, by the route that the service prefers."""
    walk = engines.walk(engines.planner.routes(*pair)[0])
    source = Language.parse(pair[0])
    lost: list[str] = []
    misshapen: list[str] = []
    pieces = 0
    generated = (
        *cases(count - count // 4, seed=count, pairs=(pair,)),
        *shouted_and_broken(count // 4, seed=count, pairs=(pair,)),
    )
    for case in generated:
        answer, asked = run_plan(case.text, walk, case.text_format, case.glossary, source)
        pieces += len(asked) > 1
        if missing(case, answer):
            lost.append(f"{case.text} -> {answer}")
        if shape(answer) != shape(case.text):
            misshapen.append(f"{case.text!r} -> {answer!r}")
    numbers = list(with_numbers(pair[0], count // 10, seed=count))
    kept = sum(digits_kept(text, run_plan(text, walk, source=source)[0]) for text in numbers)
    return {
        "texts": count,
        "lost": len(lost),
        "misshapen": len(misshapen),
        "pieces_percent": round(100 * pieces / count, 2),
        "digits_kept_percent": round(100 * kept / len(numbers), 2),
        "examples": (lost + misshapen)[:5],
    }


def main() -> int:
    """Measure, keep, and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="texts a direction")
    options = parser.parse_args()
    with translation.installed() as engines:
        found = {"-".join(pair): measured(engines, pair, options.count) for pair in DIRECTIONS}
    report.write("survival", {"bar": "nothing lost, no line moved", "directions": found})
    return 1 if any(row["lost"] or row["misshapen"] for row in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
