"""How an engine process is started: plain values that cross into it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from speech_translator.engines.values import Task


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One engine, as the broker starts it.

    ``factory`` is ``module:function``; it is called with ``options``, plain JSON-able values,
    inside the process. ``replicas`` processes share the engine's queue of at most ``queue_limit``
    calls. Times are seconds: ``load_timeout_s`` for a start, ``call_timeout_s`` for a call (a
    batch is given more, see ``pace.batch_timeout``). ``nice`` is added to a process's niceness;
    ``memory_limit_mb`` bounds what it may allocate once it has loaded, in MiB (0: no limit);
    ``memory_growth_mb`` is what it may add before it is replaced between two batches (0: any);
    ``environment`` is added to the variables that every engine process gets. ``secrets`` are
    options that must not be seen: they reach the process through its socket, never by argument
    or variable, and ``repr`` leaves them out.
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
    memory_growth_mb: int = 0
    queue_limit: int = 2048
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """All fields but the secrets."""
        shown = (
            f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__
            if name != "secrets"
        )
        return f"{type(self).__name__}({', '.join(shown)})"
