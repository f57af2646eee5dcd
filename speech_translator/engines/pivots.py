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


_DETOURS: Mapping[tuple[str, str], str] = {
    ("en", "es"): "pt",
    ("es", "en"): "pt",
    ("es", "fr"): "ca",
    ("fr", "es"): "ca",
}
"""Pairs that two steps translate better than one by rules, and their pivots, as measured with
``benchmarks/quality.py`` (chrF2): Spanish and English by rules to Portuguese and a trained model
from there, 74 in place of 62 and 70 in place of 61; Spanish and French through Catalan, 67 in place
of 62 and 64 in place of 59."""


def detour(source: str, target: str, *, trained: bool) -> str | None:
    """The pivot that is better than a direct pair by rules, if one was measured to be.

    Args:
        source: ``Language.key``.
        target: ``Language.key``.
        trained: whether a trained model takes one of the two steps; between English and others
            nothing is gained without.
    """
    pivot = _DETOURS.get((source, target))
    return pivot if trained or FIRST not in {source, target} else None


def preferred(source: str, target: str, first: str = FIRST) -> tuple[str, ...]:
    """The pivots to try before any other: ``first``, then those that were measured as good."""
    return (first, *(_BETWEEN.get((source, target)) or _INTO.get(target, ())))
