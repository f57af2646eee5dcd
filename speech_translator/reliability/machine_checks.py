"""Checks of the machine that a service runs on: memory, disks, processors, clock.

Linux's own files are read, those of control groups first (v2 and v1): in a container the machine's
figures are not what a process may have. Functions block for as long as a disk does: put them into
``in_thread``. What cannot be read is *unknown*, but for a disk that cannot be written.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from speech_translator.reliability.health_checks import Finding, Level

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

_MIB = 1024 * 1024
_UNLIMITED = 1 << 60
"""Version 1 says a number near 2^63 where there is no limit."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that this process and its children may have in all, and that are still to be had."""

    limit: int
    available: int


def read_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> Memory | None:
    """The machine's memory, or less where a control group allows less; None where nobody says.

    Pages of files that were not used lately (``inactive_file``) are counted as to be had: the
    kernel drops them before it kills anybody.
    """
    try:
        lines = (proc / "meminfo").read_text(encoding="ascii").splitlines()
        machine = {name: value.split()[0] for name, _, value in (x.partition(":") for x in lines)}
        found = Memory(int(machine["MemTotal"]) * 1024, int(machine["MemAvailable"]) * 1024)
    except (OSError, KeyError, ValueError, IndexError):
        return None
    for limit, used in _group_memory(proc, cgroups):
        if limit < min(found.limit, _UNLIMITED):
            found = Memory(limit, min(found.available, max(0, limit - used)))
    return found


def memory_finding(
    memory: Memory | None, *, warning: float = 0.10, failed: float = 0.03
) -> Finding:
    """How much of the memory is left; the bounds are shares of the limit."""
    if memory is None:
        return Finding("unknown", "not known on this system")
    share = memory.available / memory.limit
    return Finding(
        _below(share, warning, failed),
        f"{memory.available // _MIB:,} of {memory.limit // _MIB:,} MiB available",
    )


def disk_finding(folder: Path, *, warning: int, failed: int) -> Finding:
    """Whether a folder can be written, and how much room is left; the bounds are bytes.

    A folder that is not there yet is judged by the one that it will be made in.
    """
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding("failed", f"cannot be written ({error.strerror}), {free // _MIB:,} MiB free")
    return Finding(_below(free, warning, failed), f"{free // _MIB:,} MiB free")


def read_cores(proc: Path = PROC, cgroups: Path = CGROUPS) -> float:
    """Processors that this process may use; a control group may allow a part of one."""
    cores = float(len(os.sched_getaffinity(0)))
    for quota, period in _group_quotas(proc, cgroups):
        cores = min(cores, quota / period)
    return cores


def processor_finding(load: float, cores: float, *, warning: float = 4.0) -> Finding:
    """How many want a processor, for each that there is; ``load`` is the average of a minute."""
    level: Level = "warning" if load > warning * cores else "ok"
    return Finding(level, f"load {load:.1f} on {cores:g} processors")


@dataclass(slots=True)
class ClockCheck:
    """Whether the wall clock went with the monotonic one since the last look.

    A clock that was set, or a machine that slept, moves what has an end by the wall clock: keys,
    tokens, days of limits. The look that sees it warns; the next is right again.

    Args:
        most_jump_s: seconds that are let pass; a clock that is being corrected drifts by less.
        monotonic: seconds that only go on.
        wall: seconds since 1970.
    """

    most_jump_s: float = 2.0
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _offset: float | None = field(default=None, init=False)

    async def __call__(self) -> Finding:
        """Look."""
        offset = self.wall() - self.monotonic()
        before, self._offset = self._offset, offset
        jump = 0.0 if before is None else offset - before
        if abs(jump) > self.most_jump_s:
            return Finding("warning", f"the clock jumped by {jump:+.1f} s, or the machine slept")
        return Finding("ok", f"{jump:+.3f} s since the last look")


def _below(value: float, warning: float, failed: float) -> Level:
    if value < failed:
        return "failed"
    return "warning" if value < warning else "ok"


def _group_memory(proc: Path, cgroups: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of every control group that this process is in."""
    for folder in _groups(proc, cgroups, ""):
        with suppress(OSError, ValueError):  # no such group, or "max"
            limit = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            yield limit, used - _idle_pages(folder, "inactive_file")
    for folder in _groups(proc, cgroups, "memory"):
        with suppress(OSError, ValueError):
            limit = int((folder / "memory.limit_in_bytes").read_text())
            used = int((folder / "memory.usage_in_bytes").read_text())
            yield limit, used - _idle_pages(folder, "total_inactive_file")


def _idle_pages(folder: Path, name: str) -> int:
    for line in (folder / "memory.stat").read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _group_quotas(proc: Path, cgroups: Path) -> Iterator[tuple[float, float]]:
    """Microseconds of processor, and in how many, of every control group with such a limit."""
    for folder in _groups(proc, cgroups, ""):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield float(quota), float(period)
    for folder in _groups(proc, cgroups, "cpu"):
        with suppress(OSError, ValueError):
            quota_us = float((folder / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:
                yield quota_us, float((folder / "cpu.cfs_period_us").read_text())


def _groups(proc: Path, cgroups: Path, controller: str) -> Iterator[Path]:
    """This process's control group and those around it, as folders that may not be there.

    Inside of a container the path is often one of the machine's, and its group is mounted as the
    root: that comes last.

    Args:
        proc: where processes are.
        cgroups: where control groups are.
        controller: of version 1; empty for version 2, which has one tree.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = []
    root = cgroups / controller if controller else cgroups
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            inner = Path(path.lstrip("/"))
            yield from (root / one for one in (inner, *inner.parents) if one.name)
    yield root
