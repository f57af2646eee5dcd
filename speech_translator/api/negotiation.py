"""Which of several forms of an answer the caller's ``Accept`` prefers (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers

_MAX_RANGES = 32


def preferred_type(headers: Headers, offered: Sequence[str], *, default: str) -> str:
    """The offered media type with the highest quality; ties go to the one offered first.

    A range that names a type counts before a wildcard. Where nothing offered is accepted, the
    default is given: an answer in the wrong form says more than a 406.
    """
    accept = headers.get("accept", "")
    if not accept:
        return default
    ranges = [_parse(part) for part in accept.split(",")[:_MAX_RANGES]]
    best, best_quality = default, 0.0
    for kind in offered:
        matching = [
            (specificity, quality)
            for name, quality in ranges
            if (specificity := _specificity(name, kind))
        ]
        quality = max(matching)[1] if matching else 0.0
        if quality > best_quality:
            best, best_quality = kind, quality
    return best


def _parse(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return name, 0.0
    return name, 1.0


def _specificity(name: str, kind: str) -> int:
    """0 for no match, then growing from ``*/*`` over ``audio/*`` to the type itself."""
    if name == kind:
        return 3
    if name == f"{kind.partition('/')[0]}/*":
        return 2
    return 1 if name == "*/*" else 0
