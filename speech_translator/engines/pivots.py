"""Which language to go through where no engine joins two languages directly. Data, and its order.

English first, because most engines were trained towards and from it. Among the others the order
was measured with ``benchmarks/apertium_pivots.py`` (chrF2 over 40 sentences of speech): into
French, Italian and Portuguese Catalan is better than Spanish by 0.4 to 14 points (English to
French: 69.5 and 66.9), but for Portuguese to Italian; into English Spanish is, by 1.5 to 7.

There is one pivot at most. With two, three systems' mistakes pile up, and the languages that it
would join are those that no pair was ever written for; one pivot already gives more than two
hundred directions with Apertium's packages.
"""

from __future__ import annotations

from collections.abc import Mapping

FIRST = "en"

_INTO: Mapping[str, tuple[str, ...]] = {
    "en": ("es", "ca"),
    "fr": ("ca", "es"),
    "it": ("ca", "es"),
    "pt": ("ca", "es"),
}
"""Pivots by target, the best one first."""

_BETWEEN: Mapping[tuple[str, str], tuple[str, ...]] = {("pt", "it"): ("es", "ca")}
"""Pivots of pairs that are an exception to that."""


def order(source: str, target: str, pivot: str, first: str = FIRST) -> tuple[bool, int, str]:
    """Sort key of a pivot: ``first``, then those measured as good, then by name."""
    known = _BETWEEN.get((source, target)) or _INTO.get(target, ())
    return (pivot != first, known.index(pivot) if pivot in known else len(known), pivot)
