"""What the states of engines and the checks mean, and who is told."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from speech_translator.api.health import assess
from speech_translator.errors import EngineFailed
from tests.support.api import administrators_key, lose_database, running

TASKS = {
    "whisper": "recognition",
    "silero": "voice_activity",
    "bergamot": "translation",
    "kokoro": "synthesis",
    "espeak": "synthesis",
}


def judge(*, draining=False, **states):
    found = {name: SimpleNamespace(state=states.get(name, "ready")) for name in TASKS}
    return assess(TASKS, found, draining=draining)


def test_all_ready_is_healthy_and_ready():
    health = judge()
    assert (health.overall_status, health.ready) == ("healthy", True)
    assert set(health.tasks.values()) == {"ready"}


@pytest.mark.parametrize(
    ("states", "overall", "ready"),
    [
        ({"kokoro": "missing"}, "healthy", True),
        ({"kokoro": "failed"}, "degraded", True),
        ({"kokoro": "starting"}, "degraded", False),
        ({"kokoro": "missing", "espeak": "missing"}, "degraded", True),
        ({"bergamot": "starting"}, "unhealthy", False),
        ({"bergamot": "restarting"}, "degraded", True),
        ({"bergamot": "failed"}, "unhealthy", False),
        ({"whisper": "missing"}, "unhealthy", False),
        ({"silero": "failed"}, "unhealthy", False),
        (dict.fromkeys(TASKS, "starting"), "unhealthy", False),
    ],
)
def test_what_states_mean(states, overall, ready):
    health = judge(**states)
    assert (health.overall_status, health.ready) == (overall, ready)


def test_a_draining_service_is_not_ready_but_healthy():
    health = judge(draining=True)
    assert (health.overall_status, health.ready) == ("healthy", False)


def test_a_task_that_nobody_asked_for_is_not_missed():
    found = {"bergamot": SimpleNamespace(state="ready")}
    health = assess({"bergamot": "translation"}, found)
    assert (health.overall_status, health.ready) == ("healthy", True)
    assert health.tasks == {"translation": "ready"}


def test_an_engine_that_the_broker_does_not_know_is_missing():
    assert assess({"bergamot": "translation"}, {}).overall_status == "unhealthy"


def test_an_engine_that_does_not_answer_is_as_good_as_down():
    found = {name: SimpleNamespace(state="ready") for name in TASKS}
    assert assess(TASKS, found, silent=["espeak"]).overall_status == "degraded"
    assert assess(TASKS, found, silent=["bergamot"]).overall_status == "unhealthy"


async def look(harness, *names):
    """Let the checks look now: in a test they would come too late."""
    for name in names:
        await harness.app.state.api.health.look(name)


async def test_health_tells_what_the_checks_found():
    async with running() as harness:
        await look(harness, "queues", "engine processes", "clock")
        answer = await harness.client.get("/health")
        body = answer.json()
        assert (answer.status_code, body["overall_status"]) == (200, "healthy")
        checks = body["checks"]
        assert set(checks) == {
            *(
                "engine processes",
                "queues",
                "circuit breakers",
                "database",
                "disk: data",
                "disk: uploads",
            ),
            *("memory", "processors", "clock", "model files"),
        }
        assert checks["queues"]["detail"] == "0 of 2048 wait"
        assert abs(checks["queues"]["checked_at"] - time.time()) < 60
        assert checks["model files"]["level"] == "unknown"  # its turn comes later
        assert checks["model files"]["checked_at"] is None


async def test_the_database_is_looked_at_once_it_is_open_and_not_opened_for_that():
    async with running() as harness:
        await look(harness, "database")
        state = harness.app.state.api
        assert state.accounts.opened is None
        await state.accounts.get()
        await look(harness, "database")
        checks = (await harness.client.get("/health")).json()["checks"]
        assert checks["database"]["level"] == "ok"
        lose_database(state)
        await look(harness, "database", "database")
        answer = await harness.client.get("/health")
        assert (answer.status_code, answer.json()["overall_status"]) == (200, "degraded")
        checks = answer.json()["checks"]
        assert checks["database"]["level"] == "failed"
        assert checks["database"]["detail"] == "The database does not answer."


async def test_engines_are_asked_and_one_that_fails_is_told():
    async with running(health_engine_idle_s=60) as harness:
        names = [f"engine:{name}" for name in harness.broker.engines]
        await look(harness, *names)
        checks = (await harness.client.get("/health")).json()["checks"]
        assert {checks[name]["level"] for name in names} == {"ok"}
        assert all(engine.calls for engine in harness.broker.engines.values())

        def broken(_call):
            raise EngineFailed("The engine could not.")

        harness.engine("bergamot").answer = broken
        harness.app.state.api.health._watched["engine:bergamot"].check.probe.answered.clear()
        await look(harness, "engine:bergamot")
        assert (await harness.client.get("/health")).json()["overall_status"] == "degraded"
        await look(harness, "engine:bergamot")
        answer = await harness.client.get("/health")
        assert (answer.status_code, answer.json()["overall_status"]) == (503, "unhealthy")
        assert answer.json()["tasks"]["translation"] == "unavailable"
        assert (await harness.client.get("/health/simple")).status_code == 503
        lines = [line for line in harness.lines() if line["event"] == "health_check_changed"]
        assert [(line["check"], line["after"]) for line in lines] == [
            ("engine:bergamot", "warning"),
            ("engine:bergamot", "failed"),
        ]
        figures = (await harness.client.get("/metrics")).text
        levels = 'speech_translator_health_check{check="engine:bergamot",level="failed"} 1.0'
        assert levels in figures


async def test_queues_that_fill_and_processes_that_are_gone_are_told():
    async with running(engine_queue_limit=100) as harness:
        plain = harness.broker.status()
        for queued, level in ((49, "ok"), (50, "warning"), (95, "failed")):
            harness.broker.status = lambda queued=queued: {
                **plain,
                "bergamot": replace(plain["bergamot"], queued=queued, state="restarting"),
            }
            await look(harness, "queues", "engine processes")
            checks = (await harness.client.get("/health")).json()["checks"]
            assert checks["queues"]["level"] == level
            assert checks["engine processes"]["level"] == "warning"
            assert checks["engine processes"]["detail"].endswith("gone: bergamot")


async def test_production_tells_strangers_the_verdict_alone(tmp_path):
    options = {"environment": "production", "secret_pepper": "x" * 32, "data_dir": tmp_path}
    root = await administrators_key(**options)
    async with running(**options) as harness:
        short = (await harness.client.get("/health")).json()
        assert not {"engines", "checks"} & set(short)
        full = {}
        async with asyncio.timeout(30):  # who is not known at once gets the short form
            while "checks" not in full:
                full = (await harness.client.get("/health", headers={"X-API-Key": root})).json()
        assert full["checks"].keys() >= {"memory", "database"}


async def test_health_does_not_wait_for_a_database_that_hangs(tmp_path):
    options = {"environment": "production", "secret_pepper": "x" * 32, "data_dir": tmp_path}
    root = await administrators_key(**options)
    async with running(**options) as harness:

        async def hang(_credential):
            await asyncio.Event().wait()

        harness.app.state.api.guard._authenticate = hang
        answer = await harness.client.get("/health", headers={"X-API-Key": root})
        assert (answer.status_code, answer.json()["overall_status"]) == (200, "healthy")
        assert "checks" not in answer.json()


@pytest.mark.parametrize("name", ["disk: data", "disk: uploads", "memory", "processors"])
async def test_the_machine_is_looked_at(name):
    async with running() as harness:
        result = await harness.app.state.api.health.look(name)
        assert result.level in {"ok", "warning", "failed"}  # it is this machine
        assert result.detail
