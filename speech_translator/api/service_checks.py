"""What of the service and of what it depends on is looked at, how often, and what a failure means.

Nothing here is critical by itself: what ends the service's use is that an essential task is served
by no engine, which ``health.assess`` judges from all of its engines together. A replica that is
told to be unhealthy because a database is away would only take the others' hope with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path

from speech_translator.api.dependencies import ApiState
from speech_translator.api.engine_probes import ANSWER_S, EngineProbe
from speech_translator.engines.model_files import ModelFile, ModelFiles, files_of
from speech_translator.reliability.health_checks import (
    Check,
    Criticality,
    Finding,
    Level,
    in_thread,
)
from speech_translator.reliability.machine_checks import (
    ClockCheck,
    disk_finding,
    memory_finding,
    processor_finding,
    read_cores,
    read_memory,
)
from speech_translator.services import Services

ENGINE = "engine:"
"""What the name of an engine's check begins with."""

_MIB = 1024 * 1024
_TICK_S = 5.0
_REDIS_PERIOD_S = 10.0
_DATABASE_TIMEOUT_S = 7.0  # it has one of its own, which says more
_DISK_WARNING, _DISK_FAILED = 512 * _MIB, 64 * _MIB
_QUEUE_WARNING, _QUEUE_FAILED = 0.5, 0.95
_MODELS_PERIOD_S, _MODELS_TIMEOUT_S, _MODELS_DELAY_S = 300.0, 120.0, 30.0
_MACHINE_DELAY_S = 2.0
_DISK_PERIOD_S = 30.0


def service_checks(
    state: ApiState, services: Services, answered: MutableMapping[str, float]
) -> list[Check]:
    """The checks of a running service.

    Args:
        state: the application's.
        services: what runs behind it.
        answered: when each engine answered last, by ``time.monotonic``.
    """
    settings = state.settings
    spool = settings.spool_dir or Path(tempfile.gettempdir())
    checks = [
        *_engine_checks(state, services, answered),
        Check("engine processes", lambda: _at_once(lambda: _processes(services)), period_s=_TICK_S),
        Check("queues", lambda: _at_once(lambda: _queues(state, services)), period_s=_TICK_S),
        Check("circuit breakers", lambda: _at_once(lambda: _breakers(services)), period_s=_TICK_S),
        Check("database", lambda: _database(state), timeout_s=_DATABASE_TIMEOUT_S, tries=2),
        _of_machine("disk: data", lambda: _disk(settings.data_dir), period_s=_DISK_PERIOD_S),
        _of_machine("disk: uploads", lambda: _disk(spool), period_s=_DISK_PERIOD_S),
        _of_machine("memory", lambda: memory_finding(read_memory())),
        _of_machine("processors", _processors, "informational"),
        Check("clock", ClockCheck()),
        Check(
            "model files",
            in_thread(ModelsCheck(lambda: files_of(state.tasks.keys(), settings.models_dir))),
            period_s=_MODELS_PERIOD_S,
            delay_s=_MODELS_DELAY_S,
            timeout_s=_MODELS_TIMEOUT_S,
        ),
    ]
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        checks.append(Check("redis", lambda: _redis(url), period_s=_REDIS_PERIOD_S, tries=2))
    return checks


def _of_machine(
    name: str,
    look: Callable[[], Finding],
    criticality: Criticality = "important",
    period_s: float = 15.0,
) -> Check:
    """A check that may block; the start is not disturbed for it."""
    return Check(name, in_thread(look), criticality, period_s, delay_s=_MACHINE_DELAY_S)


def _engine_checks(
    state: ApiState, services: Services, answered: MutableMapping[str, float]
) -> Iterator[Check]:
    idle_s = state.settings.health_engine_idle_s
    for name in state.tasks if idle_s else ():
        probe = EngineProbe(services.broker, name, answered, idle_s, lambda: state.draining)
        yield Check(f"{ENGINE}{name}", probe, period_s=_TICK_S, timeout_s=ANSWER_S + 1, tries=2)


async def _at_once(look: Callable[[], Finding]) -> Finding:
    return look()


def _processes(services: Services) -> Finding:
    """Whether every engine has its processes, and whether decoders are there to be had."""
    found = services.broker.status()
    gone = [name for name, one in found.items() if one.state in {"restarting", "failed"}]
    if services.decoders.nursery_pid is None:
        gone.append("decoders")
    running = sum(len(one.pids) for one in found.values())
    if gone:
        return Finding("warning", f"{running} run; restarting or gone: {', '.join(sorted(gone))}")
    return Finding("ok", f"{running} run")


def _queues(state: ApiState, services: Services) -> Finding:
    """How full the fullest queue is."""
    limit = state.settings.engine_queue_limit
    found = services.broker.status()
    fullest = max(found, key=lambda name: found[name].queued, default=None)
    queued = found[fullest].queued if fullest is not None else 0
    share = queued / limit
    level: Level = "ok"
    if share >= _QUEUE_WARNING:
        level = "failed" if share >= _QUEUE_FAILED else "warning"
    return Finding(level, f"{queued} of {limit} wait" + (f" for {fullest}" if queued else ""))


def _breakers(services: Services) -> Finding:
    """Whether a dependency is being left alone."""
    away = [one.name for one in services.breakers.breakers() if one.snapshot().state != "closed"]
    if away:
        return Finding("warning", f"not closed: {', '.join(sorted(away))}")
    return Finding()


async def _database(state: ApiState) -> Finding:
    """Whether the database takes a transaction; it is not opened for that."""
    opened = state.accounts.opened
    if opened is None:
        return Finding("unknown", "not needed so far")
    await opened.ping()
    return Finding()


def _disk(folder: Path) -> Finding:
    return disk_finding(folder, warning=_DISK_WARNING, failed=_DISK_FAILED)


def _processors() -> Finding:
    return processor_finding(os.getloadavg()[0], read_cores())


class ModelsCheck:
    """Whether the models' files are as they must be; which they are is found at the first look.

    Args:
        files: finds them.
    """

    def __init__(self, files: Callable[[], list[ModelFile]]) -> None:
        self._find = files
        self._files: ModelFiles | None = None

    def __call__(self) -> Finding:
        """Look; blocks for as long as the disk does."""
        if self._files is None:
            self._files = ModelFiles(self._find())
        fault = self._files.damaged()
        if fault is not None:
            return Finding("failed", fault)
        return Finding("ok", f"{len(self._files.files)} files are whole")


async def _redis(url: str) -> Finding:
    """Whether Redis takes a new connection and answers: those of requests may all be in use."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - 20 MiB

    from speech_translator.security.redis_client import (  # noqa: PLC0415 - the same
        RedisConfig,
        redis_client,
    )

    async with redis_client(RedisConfig(url, max_connections=1)) as client:
        try:
            await client.ping()
        except (RedisError, OSError, TimeoutError) as error:
            return Finding("failed", type(error).__name__)
    return Finding()
