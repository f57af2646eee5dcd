"""What a decoder process gives up before it touches an upload. Linux; standard library only.

Each step stands on its own: where a kernel or a container forbids one, the others still hold.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_NOBODY = 65_534
_OPEN_FILES = 32
_PAGE = resource.getpagesize()


def prctl(option: int, argument: int, pointer: object = 0) -> None:
    """Set an attribute of this process. Raises ``OSError`` where that is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, pointer, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def die_with_parent(parent: int) -> None:
    """Ask to be killed when the parent goes; leave at once when it is gone already."""
    with contextlib.suppress(OSError):
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def enter_nowhere() -> None:
    """Make the working directory one that no longer exists: nothing can be made or found in it."""
    import tempfile  # noqa: PLC0415 - once, in the nursery

    directory = tempfile.mkdtemp(prefix="speech-decoder-")
    os.chdir(directory)
    Path(directory).rmdir()


def address_space() -> int:
    """Bytes of address space that this process has now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * _PAGE


def confine(address_space_bytes: int) -> None:
    """Give up what a decoder does not need: privileges, memory, files, processes.

    Args:
        address_space_bytes: the whole of it, libraries included.
    """
    parent = os.getppid()
    os.setsid()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, address_space_bytes)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_MEMLOCK, 0)
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a container may not allow a change of user
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
    _limit(resource.RLIMIT_NPROC, 0)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    prctl(_PR_SET_DUMPABLE, 0)  # no other process of this user may look into it
    die_with_parent(parent)  # after the change of user, which clears it


def limit_work(*, output_bytes: int, cpu_seconds: int) -> None:
    """Bound one job.

    Args:
        output_bytes: largest file that may be written; more raises ``OSError`` (EFBIG).
        cpu_seconds: processor time after which the kernel ends the process.
    """
    _limit(resource.RLIMIT_FSIZE, output_bytes)
    _limit(resource.RLIMIT_CPU, cpu_seconds)


def _limit(kind: int, value: int) -> None:
    """Lower a limit, soft and hard; never raise one."""
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))
