"""A breaker against a model of it, over any run of calls, times, resets and trips."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from speech_translator.reliability.breaker_machine import BreakerConfig, Machine, Permit
from tests.support.breaker_model import Model

CONFIGS = st.builds(
    BreakerConfig,
    consecutive_failures=st.integers(1, 6),
    failure_rate=st.sampled_from([None, 0.3, 0.5, 1.0]),
    window_s=st.sampled_from([1.0, 10.0, 64.0]),
    minimum_calls=st.integers(1, 8),
    slow_call_s=st.just(1.0),
    slow_call_rate=st.sampled_from([0.25, 0.5, 1.0]),
    open_s=st.sampled_from([1.0, 5.0]),
    probes=st.integers(1, 3),
    probe_successes=st.integers(1, 3),
    probe_ttl_s=st.sampled_from([2.0, 20.0]),
)
OUTCOMES = st.sampled_from(["success", "failure", "ignored"])
STEPS_S = st.sampled_from([0.0, 0.125, 0.5, 1.0, 2.0, 5.0, 19.875, 100.0])


@dataclass(frozen=True)
class Call:
    lease: str
    age: int
    permit: Permit


class BreakerAgainstModel(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(config=CONFIGS)
    def begin(self, config: BreakerConfig) -> None:
        self.model = Model(config, now=1000.0)
        self.machine = Machine(config, since=1000.0)
        self.count = 0

    @rule(target=calls)
    def ask(self):
        self.count += 1
        lease = f"lease-{self.count}"
        answer = self.machine.acquire(lease, self.model.now)
        allowed = self.model.begin(lease)
        assert isinstance(answer, Permit) == allowed
        # A refused caller who tells an outcome all the same changes nothing either.
        permit = answer if isinstance(answer, Permit) else Permit(-1)
        return Call(lease, self.model.age if allowed else -1, permit)

    @rule(call=calls, outcome=OUTCOMES, slow=st.booleans())
    def end(self, call: Call, outcome, slow: bool) -> None:
        self.machine.settle(call.permit, outcome, slow=slow, now=self.model.now)
        self.model.end(call.age, call.lease, outcome, slow=slow)

    @rule(seconds=STEPS_S)
    def wait(self, seconds: float) -> None:
        self.model.now += seconds

    @rule()
    def reset(self) -> None:
        self.machine.reset(self.model.now)
        self.model.reset()

    @rule()
    def relent(self) -> None:
        self.machine.relent(self.model.now)
        self.model.relent()

    @rule()
    def trip(self) -> None:
        self.machine.trip(self.model.now)
        self.model.trip()

    @invariant()
    def they_agree(self) -> None:
        machine, model = self.machine, self.model
        assert machine.state == model.state
        assert machine.opens == model.opens
        assert machine.streak == model.streak()
        assert (machine.wait(model.now) is None) == model.may()
        counts, recent = machine.counts(model.now), model.recent()
        assert counts.calls == len(recent)
        assert counts.failures == sum(one.outcome == "failure" for one in recent)
        assert counts.slow == sum(one.slow for one in recent)
        assert machine.probing(model.now) == len(model.alive()) <= model.config.probes

    @invariant()
    def every_change_follows_the_one_before(self) -> None:
        states = ["closed", *(change.state for change in self.machine.changes)]
        assert states[-1] == self.machine.state
        for change, before in zip(self.machine.changes, states, strict=False):
            assert change.previous == before != change.state

    @invariant()
    def it_never_waits_for_ever(self) -> None:
        wait = self.machine.wait(self.model.now)
        config = self.model.config
        assert wait is None or 0 < wait <= max(config.open_s, config.probe_ttl_s)


TestBreakerAgainstModel = BreakerAgainstModel.TestCase
