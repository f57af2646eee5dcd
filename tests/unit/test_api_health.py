from types import SimpleNamespace

import pytest

from speech_translator.api.health import assess

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
