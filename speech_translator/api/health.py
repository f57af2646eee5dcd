"""What the states of the engines mean for the service. Pure.

- *ready*: every engine has finished its first start one way or the other, each task that the
  settings ask for is served, and the service is not draining. A restart of an engine does not
  end it: calls wait for the engine, and a balancer that leaves at every restart does more harm.
- *healthy*: everything configured runs. Engines that are not installed do not count, as long as
  another one does their task.
- *degraded*: every task is served, but an engine is down, or a lesser task is not served.
- *unhealthy*: recognition or translation is not served.

An engine that runs but did not answer its own tiny call is as good as down.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from speech_translator.engines.values import Task
from speech_translator.reliability.health_checks import OverallStatus
from speech_translator.scalability.broker import EngineStatus

ESSENTIAL: tuple[Task, ...] = ("recognition", "translation", "voice_activity")
_SERVING = frozenset({"ready", "restarting"})


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict; ``tasks`` gives each configured task as ready, starting or unavailable."""

    overall_status: OverallStatus
    ready: bool
    tasks: dict[str, str]


def assess(
    tasks: Mapping[str, Task],
    states: Mapping[str, EngineStatus],
    *,
    silent: Collection[str] = (),
    draining: bool = False,
) -> Health:
    """Judge the service.

    Args:
        tasks: the task of every configured engine, by engine name.
        states: the broker's word on the same engines.
        silent: engines that did not answer when they were asked.
        draining: whether the service is about to stop.
    """
    by_task: dict[str, list[str]] = {}
    for name, task in tasks.items():
        state = states[name].state if name in states else "missing"
        by_task.setdefault(task, []).append("failed" if name in silent else state)
    verdicts = {task: _verdict(found) for task, found in by_task.items()}
    every = [state for found in by_task.values() for state in found]
    served = {task for task, verdict in verdicts.items() if verdict == "ready"}
    essential_served = all(task in served for task in ESSENTIAL if task in by_task)
    overall: OverallStatus = "healthy"
    if not essential_served:
        overall = "unhealthy"
    elif served != set(by_task) or any(state not in {"ready", "missing"} for state in every):
        overall = "degraded"
    ready = essential_served and "starting" not in every and not draining
    return Health(overall, ready, verdicts)


def _verdict(states: list[str]) -> str:
    if any(state in _SERVING for state in states):
        return "ready"
    return "starting" if "starting" in states else "unavailable"
