"""Apertium's language codes and what they mean here.

Apertium mixes ISO 639-1 and 639-3 and hangs regions, dialects and orthographies on them
(``por_BR``, ``cat_valencia_uni``, ``oci_aran``). Engines and routing know one ``Language.key`` a
language, so for each pair of keys one of Apertium's pairs is chosen. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from speech_translator.errors import UnknownLanguage
from speech_translator.languages import Language

Pair = tuple[str, str]

# One grammar serves several of our languages: as a source any of them, as a target the variant.
_SHARED: Mapping[str, tuple[str, ...]] = {
    "hbs": ("bs", "hr", "sr-Latn"),
    "hbs_BS": ("bs",),
    "hbs_HR": ("hr",),
    "hbs_SR": ("sr-Latn",),
    "zlm": ("ms",),  # Malay alone, where ISO's msa is a family of languages
}
# Brazil's Portuguese is what the embedded translator writes and the default voices speak.
_PREFERRED_VARIANTS: Mapping[str, str] = {"pt": "BR"}


def keys_of(code: str) -> tuple[str, ...]:
    """The languages that one of Apertium's codes stands for, as keys; empty for unknown ones."""
    shared = _SHARED.get(code)
    if shared is not None:
        return shared
    try:
        return (Language.parse(code.partition("_")[0]).key,)
    except UnknownLanguage:
        return ()


def chosen(offered: Iterable[Pair]) -> dict[Pair, Pair]:
    """For each pair of keys the pair of Apertium's codes that translates it.

    A code without a variant goes before one with; where a language has a preferred variant, that
    one goes first. A pair within one language (two spellings of it) is none.
    """
    best: dict[Pair, tuple[tuple[object, ...], Pair]] = {}
    for source, target in offered:
        rank = (_rank(target), _rank(source), target, source)
        for from_key in keys_of(source):
            for to_key in keys_of(target):
                if from_key == to_key:
                    continue
                known = best.get((from_key, to_key))
                if known is None or rank < known[0]:
                    best[from_key, to_key] = (rank, (source, target))
    return {keys: codes for keys, (_, codes) in sorted(best.items())}


def _rank(code: str) -> int:
    """0 for the variant that is wanted, more for those that are further from it."""
    _, _, variant = code.partition("_")
    if code in _SHARED:
        return 0 if variant else 1
    keys = keys_of(code)
    if keys and variant == _PREFERRED_VARIANTS.get(keys[0], ""):
        return 0
    return 1 + len(variant.split("_")) if variant else 1
