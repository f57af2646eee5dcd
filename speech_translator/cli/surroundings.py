"""What a command finds around it: settings, services, standard input. Tests bring their own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import typer

from speech_translator.cli.exit_codes import ExitCode
from speech_translator.cli.terminal import loading
from speech_translator.errors import EngineUnavailable, ModelMissing
from speech_translator.reliability.deadlines import Deadline

if TYPE_CHECKING:
    from speech_translator.engines.values import Task
    from speech_translator.scalability.results import RequestContext
    from speech_translator.services import Services
    from speech_translator.settings import Settings

T = TypeVar("T")

PATIENCE_S = 24 * 3600.0
"""Deadline of one input. A person at a terminal ends what takes too long."""

_POLL_S = 0.05
_TASK_NAMES = {
    "recognition": "recognition",
    "translation": "translation",
    "synthesis": "speech",
    "voice_activity": "finding speech",
}


def _settings(**overrides: object) -> Settings:
    """The settings of the environment, some of them given on the command line."""
    from speech_translator.settings import load_settings  # noqa: PLC0415  start quickly

    return load_settings(**overrides)


def _open_services(
    settings: Settings, *, tasks: Collection[Task], decode: bool
) -> AbstractAsyncContextManager[Services]:
    from speech_translator.services import open_services  # noqa: PLC0415  start quickly

    return open_services(settings, tasks=tasks, decode=decode)


def _standard_input() -> BinaryIO:
    """Standard input without a buffer: a thread that waits in one blocks the exit of Python."""
    try:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    except (OSError, io.UnsupportedOperation):
        return sys.stdin.buffer


def _serve(settings: Settings) -> None:
    from speech_translator.api.program import start  # noqa: PLC0415  start quickly

    start(settings)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside that commands reach for."""

    settings: Callable[..., Settings] = _settings
    open_services: Callable[..., AbstractAsyncContextManager[Services]] = _open_services
    standard_input: Callable[[], BinaryIO] = _standard_input
    serve: Callable[[Settings], None] = _serve


def surroundings_of(context: typer.Context) -> Surroundings:
    """What the command was given, or the real ones."""
    found = context.find_object(Surroundings)
    return found or Surroundings()


def request_context() -> RequestContext:
    """The context of one input on the command line."""
    from speech_translator.scalability.results import RequestContext  # noqa: PLC0415

    return RequestContext(Deadline.after(PATIENCE_S), owner="cli")


@asynccontextmanager
async def ready_services(
    surroundings: Surroundings, settings: Settings, tasks: Collection[Task], *, decode: bool = False
) -> AsyncIterator[Services]:
    """The services with engines for ``tasks``, loaded.

    Raises:
        ModelMissing: no engine for one of the tasks has its model.
        EngineUnavailable: none of them could start.
    """
    async with contextlib.AsyncExitStack() as stack:
        with loading():
            services = await stack.enter_async_context(
                surroundings.open_services(settings, tasks=tasks, decode=decode)
            )
            await _wait_for_engines(services, settings, tasks)
        yield services


async def _wait_for_engines(
    services: Services, settings: Settings, tasks: Collection[Task]
) -> None:
    from speech_translator.engines.registry import engine_specs  # noqa: PLC0415

    # Engines become ready, failed or missing, each at its own time: there is no one event.
    while any(  # noqa: ASYNC110
        status.state == "starting" for status in services.broker.status().values()
    ):
        await asyncio.sleep(_POLL_S)
    statuses = services.broker.status()
    of_task: dict[Task, list[str]] = {task: [] for task in tasks}
    for spec in engine_specs(settings, tasks):
        of_task[spec.task].append(spec.name)
    for task, names in of_task.items():
        found = [statuses[name] for name in names if name in statuses]
        if any(status.state in {"ready", "restarting"} for status in found):
            continue
        reasons = " ".join(dict.fromkeys(status.message for status in found if status.message))
        message = f"No engine for {_TASK_NAMES[task]} could start. {reasons}".strip()
        if all(status.state == "missing" for status in found):
            raise ModelMissing(message, command="speech-translator doctor")
        raise EngineUnavailable(message)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; SIGINT and SIGTERM let it stop its engines first.

    Raises:
        KeyboardInterrupt: SIGINT came.
        typer.Exit: SIGTERM came.
    """
    terminated = False

    async def stoppable() -> T:
        task = asyncio.ensure_future(work)

        def stop() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        return await task

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        if terminated:
            raise typer.Exit(ExitCode.TERMINATED) from None
        raise
