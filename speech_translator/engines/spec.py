"""How an engine process is started: plain values that cross into it as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from speech_translator.engines.values import Task


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, as the broker starts it.

    ``factory`` is ``module:function``; it is called with ``options`` inside the process. Times
    are seconds. ``nice`` is added to the process's niceness; ``memory_limit_mb`` bounds what it
    may allocate (0: no limit); ``environment`` is added to the process's own.
    """

    name: str
    task: Task
    factory: str
    options: Mapping[str, object] = {}
    replicas: int = 1
    nice: int = 0
    load_timeout_s: float = 60.0
    call_timeout_s: float = 30.0
    memory_limit_mb: int = 0
    queue_limit: int = 2048
    environment: Mapping[str, str] = {}
