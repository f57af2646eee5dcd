"""From which language into which: pairs one by one, or groups any two of whose languages make one.

A model for two hundred languages has forty thousand pairs; its group is one list. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import permutations

from speech_translator.engines.values import EngineInfo

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Directions:
    """Pairs of ``Language.key`` strings, source first; ``in`` and iteration know all of them."""

    pairs: tuple[Pair, ...] = ()
    groups: tuple[frozenset[str], ...] = ()
    _known: frozenset[Pair] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the pairs."""
        object.__setattr__(self, "_known", frozenset(self.pairs))

    @classmethod
    def of(cls, info: EngineInfo) -> Directions:
        """What a translator says that it has."""
        return cls(info.pairs, tuple(map(frozenset, info.groups)))

    @classmethod
    def joined(cls, several: Iterable[Directions]) -> Directions:
        """All that any of them has, each pair and each group once, in order."""
        pairs: dict[Pair, None] = {}
        groups: dict[frozenset[str], None] = {}
        for one in several:
            pairs |= dict.fromkeys(one.pairs)
            groups |= dict.fromkeys(one.groups)
        return cls(tuple(pairs), tuple(groups))

    def __contains__(self, pair: Pair) -> bool:
        """Whether a source is translated into a target."""
        source, target = pair
        return pair in self._known or (
            source != target and any(source in group and target in group for group in self.groups)
        )

    def __iter__(self) -> Iterator[Pair]:
        """Every pair once."""
        seen = set(self._known)
        yield from self.pairs
        for group in self.groups:
            for pair in permutations(sorted(group), 2):
                if pair not in seen:
                    seen.add(pair)
                    yield pair

    def languages(self) -> set[str]:
        """All that are translated from or into."""
        return {key for pair in self.pairs for key in pair}.union(*self.groups)
