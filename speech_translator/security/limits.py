"""What may be taken, how much of it, and what is left: values of rate limits and quotas.

A ``Rate`` is GCRA (the generic cell rate algorithm of ATM's traffic management; here as a virtual
schedule): an allowance that refills steadily and may be spent at once. A ``Window`` counts within
the UTC day or month. Both are judged by a store (``limit_store.py``), several in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Span = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Rate:
    """``limit`` units in ``period_s`` seconds, refilled steadily; all of them may be spent at once.

    ``name`` is what callers are told: an RFC 8941 token.
    """

    name: str
    limit: int
    period_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """``limit`` units in each UTC day or calendar month."""

    name: str
    limit: int
    span: Span = "day"


Policy = Rate | Window


@dataclass(frozen=True, slots=True)
class Debit:
    """``cost`` units of ``policy`` that ``subject`` wants to take, or to give back.

    ``subject`` says whose allowance it is, e.g. ``key:7Fh2``; equal subjects under policies of
    equal names share one.
    """

    subject: str
    policy: Policy
    cost: int = 1

    @property
    def counter(self) -> str:
        """The name of the counter in a store."""
        return f"{self.policy.name}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one policy stands after a decision; times are seconds from now.

    ``reset_after_s``: until all of the limit is there again. ``retry_after_s``: until the debit
    that was refused would pass; 0 when it did, None when it never will, being above the limit.
    """

    policy: Policy
    remaining: int
    reset_after_s: float
    retry_after_s: float | None = 0.0

    def corrected(self, cost: int) -> Standing:
        """Where it stands once so much more was taken; less, where that is negative."""
        policy, reset_after_s = self.policy, self.reset_after_s
        if isinstance(policy, Rate) and policy.limit:
            reset_after_s = max(0.0, reset_after_s + cost * policy.period_s / policy.limit)
        remaining = min(policy.limit, max(0, self.remaining - cost))
        return replace(self, remaining=remaining, reset_after_s=reset_after_s)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether all debits were taken; if not, none was. One standing a debit, in order.

    ``exact`` is False when a store decided alone that should have asked a shared one.
    """

    standings: tuple[Standing, ...]
    exact: bool = True

    def corrected(self, changes: Sequence[Debit]) -> Decision:
        """What is left once the debits were settled, as far as this one knows."""
        costs = {change.policy.name: change.cost for change in changes}
        return replace(
            self,
            standings=tuple(one.corrected(costs.get(one.policy.name, 0)) for one in self.standings),
        )

    @property
    def allowed(self) -> bool:
        """Whether the debits were taken."""
        return all([standing.retry_after_s == 0.0 for standing in self.standings])  # noqa: C419 - at each request; a generator costs more

    @property
    def violated(self) -> tuple[Standing, ...]:
        """The standings that refused."""
        return tuple(standing for standing in self.standings if standing.retry_after_s != 0.0)

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the same debits pass, if nobody else takes any; None for never."""
        waits = [standing.retry_after_s for standing in self.standings]
        known = [wait for wait in waits if wait is not None]
        return max(known, default=0.0) if len(known) == len(waits) else None
