"""Which engines answer a language pair, in which order. Pure: no engine is called here.

A route is a sequence of steps, each one engine translating one pair directly. Direct routes come
before routes through a pivot language, but for a few by rules that were measured to be worse;
within each kind the operator's order of engines decides. Which pivot goes first, and which is
better than a direct pair, is said in ``pivots.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speech_translator.engines import pivots
from speech_translator.engines.values import EngineInfo

MAX_ROUTES = 4
"""Routes tried for one request: enough for a fallback, few enough for the deadline."""


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
    _by_pair: dict[tuple[str, str], tuple[str, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _targets: dict[str, frozenset[str]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _rules: set[str] = field(init=False, repr=False, compare=False, default_factory=set)
    _routes: dict[tuple[str, str], tuple[Route, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index the engines by pair."""
        direct: dict[str, set[str]] = {}
        for info in self.engines:
            for source, target in info.pairs:
                self._by_pair[source, target] = (
                    *self._by_pair.get((source, target), ()),
                    info.name,
                )
                direct.setdefault(source, set()).add(target)
        self._rules.update(info.name for info in self.engines if info.rule_based)
        self._targets.update({source: frozenset(found) for source, found in direct.items()})

    def direct(self, source: str, target: str) -> tuple[Route, ...]:
        """Routes of one step, in order of preference."""
        return tuple(
            (Step(engine, source, target),) for engine in self._by_pair.get((source, target), ())
        )

    def routes(self, source: str, target: str) -> tuple[Route, ...]:
        """All routes worth trying, best first; empty when the pair is not covered."""
        found = self._routes.get((source, target))
        if found is None and source in self._targets:
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
        tried = {step.engine for route in direct for step in route}
        detours, others = [], []
        for pivot in self._pivots(source, target):
            (first,), (second,) = self.direct(source, pivot)[0], self.direct(pivot, target)[0]
            engines = {first.engine, second.engine}
            better = pivots.detour(source, target, trained=not engines <= self._rules) == pivot
            if better and direct and direct[0][0].engine in self._rules:
                detours.append((first, second))
            # Engines that failed on the pair itself are not asked again in two steps.
            elif not engines <= tried:
                others.append((first, second))
        return (*detours, *direct, *others)[:MAX_ROUTES]

    def _pivots(self, source: str, target: str) -> list[str]:
        """Languages with a direct way in and out, the best one first."""
        middle = [
            language
            for language in self._targets.get(source, ())
            if language not in {source, target} and target in self._targets.get(language, ())
        ]
        return sorted(
            middle, key=lambda pivot: pivots.order(source, target, pivot, self.first_pivot)
        )

    def sources(self) -> frozenset[str]:
        """Languages that something can be translated from."""
        return frozenset(self._targets)

    def targets(self, source: str) -> frozenset[str]:
        """Languages that ``source`` reaches, directly or through one pivot."""
        near = self._targets.get(source, frozenset())
        far = {target for pivot in near for target in self._targets.get(pivot, ())}
        return frozenset((near | far) - {source})


def preferred(engines: Sequence[EngineInfo], language: str) -> list[EngineInfo]:
    """Engines of the chain that know ``language``, in the chain's order."""
    return [info for info in engines if language in info.languages]
