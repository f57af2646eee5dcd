"""How many requests somebody may make: asked at the door, all limits in one step.

What a tier bought does not shrink under load: that is the business of admission, which refuses
with a 503. A request that is refused here costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Literal

from speech_translator.errors import LimitExceeded
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Debit, Decision, Policy, Rate, Window
from speech_translator.security.scopes import Principal
from speech_translator.security.tiers import Tier, TierName, Tiers

EndpointClass = Literal["work", "account"]
"""*work* is what a tier is bought for; *account* looks after keys, tokens and usage, and takes
nothing of that."""

REQUESTS_MINUTE = "requests-minute"
REQUESTS_DAY = "requests-day"

ACCOUNT = Rate("account-minute", 120)
"""Requests a minute to look after an account, whatever the tier."""

REFUSED = Rate("refused-minute", 60)
"""Requests a minute from one address that are refused for want of a valid key. After those the
answer is 429, for requests without a valid key alone: others at that address are not harmed."""


class RateLimiter:
    """Counts requests.

    Args:
        store: the counters.
        tiers: what each tier may take.
    """

    def __init__(self, store: LimitStore, tiers: Tiers) -> None:
        self._store = store
        self._policies: Mapping[TierName, tuple[Policy, ...]] = {
            name: tuple(_policies(tier)) for name, tier in tiers.items()
        }

    async def admit(
        self,
        subject: str,
        tier: TierName,
        endpoint: EndpointClass = "work",
        key: Principal | None = None,
    ) -> Decision:
        """Take one request; the decision says what is left, and whether it was there.

        Args:
            subject: whose allowance it is, such as ``owner:ada``.
            tier: what that one may take.
            endpoint: what the request is for.
            key: whose key's own limits hold, too, where it has any.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        return await self._store.acquire(self._debits(subject, tier, endpoint, key))

    async def give_back(
        self,
        subject: str,
        tier: TierName,
        endpoint: EndpointClass = "work",
        key: Principal | None = None,
    ) -> Decision:
        """Undo an ``admit`` that let a request in; what is left now.

        Args:
            subject: whose allowance it was taken from.
            tier: what that one may take.
            endpoint: what the request was for.
            key: whose key's own limits it was taken from, too.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        debits = self._debits(subject, tier, endpoint, key)
        await self._store.settle([replace(debit, cost=-debit.cost) for debit in debits])
        return await self._store.peek(debits)

    def _debits(
        self, subject: str, tier: TierName, endpoint: EndpointClass, key: Principal | None
    ) -> list[Debit]:
        if endpoint != "work":
            return [Debit(subject, ACCOUNT)]
        debits = [Debit(subject, policy) for policy in self._policies[tier]]
        if key is not None and key.limits is not None:
            debits += [Debit(key.key_subject, policy) for policy in key.limits.on_requests]
        return debits

    async def standing(
        self, subject: str, tier: TierName, key: Principal | None = None
    ) -> Decision:
        """What is left of a tier's requests, and of a key's own; nothing is taken.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        debits = self._debits(subject, tier, "work", key)
        return await self._store.peek([replace(debit, cost=0) for debit in debits])

    async def refuse(self, address: str) -> Decision:
        """Count a request that came without a valid key.

        Args:
            address: where it came from.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        return await self.take(f"address:{address}", REFUSED)

    async def take(self, subject: str, rate: Rate) -> Decision:
        """Take one unit of a rate that is no tier's.

        Raises:
            StoreUnavailable: the counters cannot be reached.
        """
        return await self._store.acquire([Debit(subject, rate)])


def exceeded(decision: Decision) -> LimitExceeded:
    """The error of a decision that was not allowed; it names every limit that was in the way."""
    violated = [
        {
            "policy": standing.policy.name,
            "limit": standing.policy.limit,
            "remaining": standing.remaining,
            "retry_after": standing.retry_after_s,
        }
        for standing in decision.violated
    ]
    names = ", ".join(standing.policy.name for standing in decision.violated)
    wait = decision.retry_after_s
    advice = "No wait helps: it is more than the limit allows at all." if wait is None else ""
    return LimitExceeded(
        f"A limit is used up: {names}. {advice}".rstrip(), retry_after=wait, violated=violated
    )


def header_fields(decision: Decision) -> list[tuple[bytes, bytes]]:
    """What a limited answer says of its limits.

    ``RateLimit-Policy`` and ``RateLimit`` are those of the IETF's draft
    (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/), ``X-RateLimit-*`` what
    most clients read: of the limit of which the smallest part is left, with the reset in seconds.
    """
    standings = decision.standings
    if not standings:
        return []
    tightest = min(standings, key=lambda one: one.remaining / max(1, one.policy.limit))
    policies, left = [], []
    for one in standings:
        policy = one.policy
        policies.append(f'"{policy.name}";q={policy.limit};w={_seconds(policy)}')
        left.append(f'"{policy.name}";r={one.remaining};t={ceil(one.reset_after_s)}')
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(left).encode()),
        (b"x-ratelimit-limit", b"%d" % tightest.policy.limit),
        (b"x-ratelimit-remaining", b"%d" % tightest.remaining),
        (b"x-ratelimit-reset", b"%d" % ceil(tightest.reset_after_s)),
    ]


def _policies(tier: Tier) -> Sequence[Policy]:
    found: list[Policy] = []
    if tier.requests_per_minute is not None:
        found.append(Rate(REQUESTS_MINUTE, tier.requests_per_minute))
    if tier.requests_per_day is not None:
        found.append(Window(REQUESTS_DAY, tier.requests_per_day))
    return found


def _seconds(policy: Policy) -> int:
    """The length of a policy's window; months have 30 days here."""
    if isinstance(policy, Rate):
        return int(policy.period_s)
    return 24 * 3600 * (1 if policy.span == "day" else 30)
