"""Every breaker: the same states from the same calls, kept in memory and in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from speech_translator.errors import CircuitOpen
from speech_translator.reliability import BreakerConfig, CircuitBreaker, Sharing, StateChange
from speech_translator.reliability.breaker_sharing import SCRIPT
from speech_translator.reliability.breaker_window import Outcome
from tests.support.breaker_model import Model
from tests.support.breakers import CONFIG, Clock
from tests.support.redis_server import RedisServer, redis_server

NOON = 1_796_126_400.0


@dataclass
class World:
    """Breakers of one dependency, in as many processes as are asked for, and their clock."""

    server: RedisServer | None
    clock: Clock = field(default_factory=lambda: Clock(NOON))
    told: list[StateChange] = field(default_factory=list)
    client: Redis | None = None

    def sharing(self) -> Sharing | None:
        """Redis by our clock, in place of its own."""
        if self.server is None:
            return None
        script = SCRIPT.replace("redis.call('TIME')", "{ARGV[15], ARGV[16]}")
        run = self.client.register_script(script) if self.client else None
        return Sharing(
            run and (lambda keys, args: run(keys, [*args, *self.time()])),
            lambda keys, args: self.once(script, keys, [*args, *self.time()]),
            clock=self.clock,
        )

    def once(self, script: str, keys: Sequence[str], args: Sequence[object]) -> object:
        assert self.server
        with self.server.connect() as client:
            return client.register_script(script)(keys, args)

    def time(self) -> tuple[int, int]:
        return divmod(round(self.clock.now * 1e6), 1_000_000)

    def breaker(self, config: BreakerConfig = CONFIG, name: str = "payments") -> CircuitBreaker:
        return CircuitBreaker(
            name, config, sharing=self.sharing(), listener=self.told.append, clock=self.clock
        )

    async def opened(self, breaker: CircuitBreaker) -> None:
        await end(breaker, *["failure"] * breaker.config.consecutive_failures)
        assert breaker.snapshot().state == "open"

    async def half_open(self, breaker: CircuitBreaker) -> None:
        await self.opened(breaker)
        self.clock.now += breaker.config.open_s


async def end(breaker: CircuitBreaker, *outcomes: Outcome, seconds: float = 0.1) -> None:
    """Calls that are begun and ended, one after the other."""
    for outcome in outcomes:
        await breaker.settle(await breaker.acquire(), outcome, seconds)
        await settled(breaker)


async def settled(breaker: CircuitBreaker) -> None:
    """What is told of ends that say nothing is told beside."""
    await asyncio.gather(*breaker._later)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield World(None)
        return
    running: RedisServer = request.getfixturevalue("server")
    async with running.client() as client:
        await client.flushall()
        yield World(running, client=client)


async def test_failures_in_a_row_open_it(world: World) -> None:
    breaker = world.breaker()
    await end(breaker, "failure", "failure", "success", "failure", "failure")
    assert breaker.snapshot().failures == 2
    await end(breaker, "failure")
    assert world.told == [
        StateChange("payments", "closed", "open", "consecutive_failures", CONFIG.open_s)
    ]
    world.clock.now += 1.5
    with pytest.raises(CircuitOpen) as refused:
        await breaker.acquire()
    assert refused.value.retry_after == 3.5


async def test_a_share_of_failures_opens_it_and_what_left_the_window_does_not_count(
    world: World,
) -> None:
    breaker = world.breaker()
    await end(breaker, "failure", "success", "failure", "failure", "success")
    assert breaker.snapshot().window_failures == 3
    world.clock.now += CONFIG.window_s
    await end(breaker, "failure", "success", "failure", "success", "failure")
    assert breaker.snapshot().window_calls == 5
    assert world.told == []
    world.clock.now += 4.0
    await end(breaker, "success", "failure")
    assert world.told[0].reason == "failure_rate"


async def test_slow_calls_open_it(world: World) -> None:
    breaker = world.breaker()
    await end(breaker, "success", "success", seconds=1.9)
    await end(breaker, *["success"] * 5, seconds=2.0)
    assert breaker.snapshot().window_slow == 5
    await end(breaker, "ignored", seconds=2.0)
    assert world.told[0].reason == "slow_calls"


async def test_one_probe_passes_at_a_time_and_closes_it(world: World) -> None:
    breaker = world.breaker()
    await world.half_open(breaker)
    probe = await breaker.acquire()
    with pytest.raises(CircuitOpen):
        await breaker.acquire()
    await breaker.settle(probe, "success", 0.1)
    assert [change.state for change in world.told] == ["open", "half_open", "closed"]
    await end(breaker, "failure")
    assert breaker.snapshot().failures == 1


@pytest.mark.parametrize(("outcome", "seconds"), [("failure", 0.1), ("success", 2.0)])
async def test_a_probe_that_fails_or_is_slow_opens_it_again(
    world: World, outcome, seconds: float
) -> None:
    breaker = world.breaker()
    await world.half_open(breaker)
    await end(breaker, outcome, seconds=seconds)
    assert world.told[-1].reason == "probe_failed"
    assert breaker.retry_after() == CONFIG.open_s
    assert breaker.snapshot().opens_total == 2


async def test_several_probes_where_several_may(world: World) -> None:
    breaker = world.breaker(replace(CONFIG, probes=2, probe_successes=3))
    await world.half_open(breaker)
    probes = [await breaker.acquire(), await breaker.acquire()]
    with pytest.raises(CircuitOpen):
        await breaker.acquire()
    for probe in probes:
        await breaker.settle(probe, "success", 0.1)
    assert breaker.snapshot().state == "half_open"
    await end(breaker, "success")
    assert breaker.snapshot().state == "closed"


async def test_a_probe_that_never_ends_frees_its_place(world: World) -> None:
    breaker = world.breaker()
    await world.half_open(breaker)
    dead = await breaker.acquire()
    world.clock.now += CONFIG.probe_ttl_s - 0.5
    with pytest.raises(CircuitOpen) as refused:
        await breaker.acquire()
    assert refused.value.retry_after == 0.5
    world.clock.now += 0.5
    alive = await breaker.acquire()
    await breaker.settle(dead, "failure", 30.0)
    assert breaker.snapshot().state == "half_open"
    await breaker.settle(alive, "success", 0.1)
    assert breaker.snapshot().state == "closed"


async def test_calls_of_an_earlier_state_say_nothing(world: World) -> None:
    breaker = world.breaker()
    late = [await breaker.acquire() for _ in range(3)]
    await world.half_open(breaker)
    probe = await breaker.acquire()
    for permit in late:
        await breaker.settle(permit, "failure", 0.1)
    assert breaker.snapshot().state == "half_open"
    await breaker.settle(probe, "success", 0.1)
    await breaker.settle(late[0], "failure", 0.1)
    assert breaker.snapshot().failures == 0


async def test_an_end_that_says_nothing_frees_the_place(world: World) -> None:
    breaker = world.breaker()
    await world.half_open(breaker)
    await end(breaker, "ignored", "ignored")
    assert breaker.snapshot().state == "half_open"
    await end(breaker, "success")
    assert breaker.snapshot().state == "closed"


async def test_a_cancelled_probe_frees_the_place(world: World) -> None:
    breaker = world.breaker()
    await world.half_open(breaker)
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    probe = asyncio.create_task(breaker.call(hang))
    await begun.wait()
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    await settled(breaker)
    await end(breaker, "success")
    assert breaker.snapshot().state == "closed"


async def test_reset_and_trip(world: World) -> None:
    breaker = world.breaker()
    late = await breaker.acquire()
    await breaker.trip()
    world.clock.now += 4.0
    await breaker.trip()
    assert breaker.retry_after() == CONFIG.open_s
    assert breaker.snapshot().opens_total == 1
    await breaker.reset()
    await breaker.settle(late, "failure", 0.1)
    assert breaker.snapshot().failures == 0
    assert [change.reason for change in world.told] == ["tripped", "reset"]


async def test_one_that_relents_lets_the_next_call_be_a_probe(world: World) -> None:
    breaker = world.breaker()
    await breaker.relent()
    assert breaker.snapshot().state == "closed"
    await world.opened(breaker)
    await breaker.relent()
    await breaker.acquire()
    with pytest.raises(CircuitOpen):
        await breaker.acquire()


async def test_threads_have_the_same(world: World) -> None:
    breaker = world.breaker()
    for _ in range(3):
        breaker.settle_sync(breaker.acquire_sync(), "failure", 0.1)
    assert breaker.is_open()
    breaker.reset_sync()
    breaker.trip_sync()
    world.clock.now += CONFIG.open_s
    assert breaker.call_sync(lambda: 7) == 7
    assert breaker.snapshot().state == "closed"


async def test_one_dependency_is_not_another(world: World) -> None:
    payments, mail = world.breaker(), world.breaker(name="mail")
    await world.opened(payments)
    await mail.acquire()


async def test_exactly_one_of_a_thousand_calls_is_the_probe(world: World) -> None:
    breaker = world.breaker()
    await world.half_open(breaker)
    answers = await asyncio.gather(
        *(breaker.acquire() for _ in range(1000)), return_exceptions=True
    )
    assert sum(isinstance(answer, CircuitOpen) for answer in answers) == 999


async def test_one_that_is_known_to_be_open_asks_nobody(server: RedisServer) -> None:
    async with server.client() as client:
        await client.flushall()
        world = World(server, client=client)
        breaker = world.breaker()
        await world.opened(breaker)
        sharing = breaker._core.sharing
        assert sharing
        sharing.script = None  # whoever asked now would be told that there is none
        for _ in range(100):
            with pytest.raises(CircuitOpen):
                await breaker.acquire()


async def test_a_probe_whose_caller_left_before_it_began_frees_the_place(
    server: RedisServer,
) -> None:
    async with server.client() as client:
        await client.flushall()
        world = World(server, client=client)
        breaker = world.breaker()
        await world.half_open(breaker)
        sharing = breaker._core.sharing
        assert sharing
        asked = sharing.script
        assert asked
        granted = asyncio.Event()

        async def late(keys, args):
            answer = await asked(keys, args)
            if args[0] == "acquire":
                granted.set()
                await asyncio.Event().wait()
            return answer

        sharing.script = late
        caller = asyncio.create_task(breaker.acquire())
        await granted.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await settled(breaker)
        sharing.script = asked
        await end(breaker, "success")
        assert breaker.snapshot().state == "closed"


async def test_a_clock_of_redis_that_is_set_back_wedges_nothing(server: RedisServer) -> None:
    async with server.client() as client:
        await client.flushall()
        world = World(server, client=client)
        await world.opened(world.breaker())
        world.clock.now -= 3600.0
        probe = await world.breaker().acquire()  # of another process: ours counts for itself
        world.clock.now -= 3600.0
        await world.breaker().settle(probe, "success", 0.1)
        await end(world.breaker(), "success")
        assert world.told[-1].state == "closed"


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["acquire", "reset", "trip"]),
        st.tuples(st.just("wait"), st.sampled_from([0.125, 1.0, 2.0, 5.0, 19.875, 100.0])),
        st.tuples(
            st.just("settle"),
            st.integers(0, 5),
            st.sampled_from(["success", "failure", "failure", "ignored"]),
            st.booleans(),
        ),
    ),
    max_size=60,
)
SMALL = BreakerConfig(
    consecutive_failures=3,
    failure_rate=0.5,
    window_s=10.0,
    minimum_calls=4,
    slow_call_s=1.0,
    slow_call_rate=0.5,
    open_s=5.0,
    probes=2,
    probe_successes=2,
    probe_ttl_s=20.0,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_redis_takes_every_step_as_the_model_does(server: RedisServer, steps) -> None:
    with server.connect() as client:
        client.flushall()
    world = World(server)
    breaker, model = world.breaker(SMALL), Model(SMALL, now=NOON)
    permits = []
    for step in steps:
        match step:
            case "acquire":
                allowed = model.begin(f"lease-{len(permits)}")
                try:
                    permits.append((breaker.acquire_sync(), model.age, f"lease-{len(permits)}"))
                except CircuitOpen:
                    assert not allowed
                else:
                    assert allowed
            case "reset":
                breaker.reset_sync()
                model.reset()
            case "trip":
                breaker.trip_sync()
                model.trip()
            case ("wait", seconds):
                world.clock.now = model.now = model.now + seconds
            case ("settle", back, outcome, slow) if back < len(permits):
                permit, age, lease = permits[-1 - back]
                model.end(age, lease, outcome, slow=slow)
                breaker.settle_sync(permit, outcome, 2.0 if slow else 0.1)
        found = breaker.snapshot()
        assert (found.state, found.opens_total) == (model.state, model.opens)
        assert found.failures == model.streak()
