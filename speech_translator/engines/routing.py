"""Which engines answer a language pair, in which order. Pure: no engine is called here.

A route is a sequence of steps, each one engine translating one pair directly. Direct routes come
before routes through a pivot language, but for a few by rules that were measured to be worse;
within each kind the operator's order of engines decides. Which pivot goes first, and which is
better than a direct pair, is said in ``pivots.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from speech_translator.engines import pivots
from speech_translator.engines.directions import Directions
from speech_translator.engines.values import EngineInfo

MAX_ROUTES = 4
"""Routes tried for one request: enough for a fallback, few enough for the deadline."""

_LOOKED_AT = 32
"""Pivots looked at for a fallback of a direct route: two hundred languages are two hundred pivots,
nearly all by the engine that has failed already."""


@dataclass(frozen=True, slots=True)
class Step:
    """One engine, one direct pair; languages are ``Language.key`` strings."""

    engine: str
    source: str
    target: str

    def __str__(self) -> str:
        """Show as in answers: ``bergamot:en-pt``."""
        return f"{self.engine}:{self.source}-{self.target}"


Route = tuple[Step, ...]


def names(route: Route) -> tuple[str, ...]:
    """The steps as they appear in an answer's ``route``."""
    return tuple(str(step) for step in route)


@dataclass(frozen=True, slots=True)
class RoutePlanner:
    """Plans over translation engines in order of preference.

    Args:
        engines: what each engine of the chain said of itself, the preferred one first.
        first_pivot: the language tried first between two that no engine joins directly.
    """

    engines: tuple[EngineInfo, ...]
    first_pivot: str = pivots.FIRST
    _directions: dict[str, Directions] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    # Languages that one step reaches, and perhaps the source: those of a group share one set.
    _near: dict[str, frozenset[str]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _rules: set[str] = field(init=False, repr=False, compare=False, default_factory=set)
    _routes: dict[tuple[str, str], tuple[Route, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Note what each language reaches."""
        self._directions.update({info.name: Directions.of(info) for info in self.engines})
        self._rules.update(info.name for info in self.engines if info.rule_based)
        every = Directions.joined(self._directions.values())
        direct: dict[str, set[str]] = {}
        for source, target in every.pairs:
            direct.setdefault(source, set()).add(target)
        for source in {*direct, *(language for group in every.groups for language in group)}:
            reached = [group for group in every.groups if source in group]
            if source in direct or len(reached) > 1:
                reached = [frozenset(direct.get(source, ())).union(*reached)]
            self._near[source] = reached[0]

    def direct(self, source: str, target: str) -> tuple[Route, ...]:
        """Routes of one step, in order of preference."""
        return tuple(
            (Step(engine, source, target),)
            for engine, directions in self._directions.items()
            if (source, target) in directions
        )

    def routes(self, source: str, target: str) -> tuple[Route, ...]:
        """All routes worth trying, best first; empty when the pair is not covered."""
        found = self._routes.get((source, target))
        if found is None and source in self._near:
            found = self._plan(source, target)
            self._routes[source, target] = found  # bounded: languages the engines know, squared
        return found or ()

    def best(self, source: str, target: str) -> Route:
        """The first of ``routes``, without planning the rest where that is not needed.

        Raises:
            KeyError: the pair is not covered.
        """
        direct = self.direct(source, target)
        if direct and direct[0][0].engine not in self._rules:
            return direct[0]
        routes = self.routes(source, target)
        if not routes:
            raise KeyError(source, target)
        return routes[0]

    def _plan(self, source: str, target: str) -> tuple[Route, ...]:
        """Direct routes, then those through one pivot; first a detour that is better."""
        direct = self.direct(source, target)
        found = [*self._detours(source, target, direct), *direct]
        tried = {step.engine for route in direct for step in route}
        pivots_ = islice(self._pivots(source, target), _LOOKED_AT if direct else None)
        for route in (self._through(source, pivot, target) for pivot in pivots_):
            if len(found) >= MAX_ROUTES:
                break
            # Engines that failed on the pair itself are not asked again in two steps.
            if route not in found and not {step.engine for step in route} <= tried:
                found.append(route)
        return tuple(found[:MAX_ROUTES])

    def _detours(
        self, source: str, target: str, direct: Sequence[Route]
    ) -> Iterator[tuple[Step, Step]]:
        """The way through a pivot that is better than a direct one by rules, if there is one."""
        pivot = pivots.detour(source, target, trained=True)
        if pivot is None or not direct or direct[0][0].engine not in self._rules:
            return
        if self._joins(source, pivot, target):
            route = self._through(source, pivot, target)
            trained = any(step.engine not in self._rules for step in route)
            if pivots.detour(source, target, trained=trained) == pivot:
                yield route

    def _through(self, source: str, pivot: str, target: str) -> tuple[Step, Step]:
        """Two steps, each by the engine that is preferred for it."""
        (first,), (second,) = self.direct(source, pivot)[0], self.direct(pivot, target)[0]
        return first, second

    def _pivots(self, source: str, target: str) -> Iterator[str]:
        """Languages with a direct way in and out, the best one first."""
        best = dict.fromkeys(pivots.preferred(source, target, self.first_pivot))
        yield from (pivot for pivot in best if self._joins(source, pivot, target))
        near = sorted(self._near.get(source, ()))
        yield from (
            pivot for pivot in near if pivot not in best and self._joins(source, pivot, target)
        )

    def _joins(self, source: str, pivot: str, target: str) -> bool:
        near = self._near
        return (
            pivot not in {source, target}
            and pivot in near.get(source, ())
            and target in near.get(pivot, ())
        )

    def sources(self) -> frozenset[str]:
        """Languages that something can be translated from."""
        return frozenset(self._near)

    def targets(self, source: str) -> frozenset[str]:
        """Languages that ``source`` reaches, directly or through one pivot."""
        near = self._near.get(source, frozenset())
        far = {self._near[pivot] for pivot in near if pivot != source and pivot in self._near}
        return near.union(*far) - {source}


def preferred(engines: Sequence[EngineInfo], language: str) -> list[EngineInfo]:
    """Engines of the chain that know ``language``, in the chain's order."""
    return [info for info in engines if language in info.languages]
