"""A seccomp filter for decoders: compute on memory and on open descriptors, and nothing else.

After it a decoder cannot open a file, make a socket, start a process or signal one, whatever an
upload makes the codecs do; such calls fail with EPERM. Classic BPF over ``struct seccomp_data``,
see seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from speech_translator.media.sandbox import prctl

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4

# What a decoder calls, with its number on x86-64 and on 64-bit ARM.
_CALLS = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66),
    "pread64": (17, 67), "lseek": (8, 62), "close": (3, 57), "fstat": (5, 80),
    "newfstatat": (262, 79), "fcntl": (72, 25),
    "recvfrom": (45, 207), "recvmsg": (47, 212), "sendto": (44, 206), "sendmsg": (46, 211),
    "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226),
    "madvise": (28, 233), "brk": (12, 214), "futex": (202, 98), "rseq": (334, 293),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132), "getpid": (39, 172), "gettid": (186, 178),
    "prlimit64": (302, 261), "getrusage": (98, 165), "getrandom": (318, 278),
    "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "gettimeofday": (96, 169),
    "sched_yield": (24, 124), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
_MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # column, AUDIT_ARCH_*


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict_calls() -> None:
    """Install the filter, for good. Raises ``OSError`` where the kernel has none.

    ``no_new_privs`` must be set before.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, "no system call numbers for this processor")
    column, architecture = machine
    code = _program([numbers[column] for numbers in _CALLS.values()], architecture)
    program = _Program(len(code) // 8, code)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))


def _program(allowed: list[int], architecture: int) -> bytes:
    """BPF: another architecture's numbering and every call that is not listed are refused."""
    refuse = struct.pack("=HBBI", _RETURN, 0, 0, _ERRNO | errno.EPERM)
    code = struct.pack("=HBBI", _LOAD, 0, 0, _ARCHITECTURE_AT)
    code += struct.pack("=HBBI", _EQUAL, 1, 0, architecture) + refuse
    code += struct.pack("=HBBI", _LOAD, 0, 0, _NUMBER_AT)
    for position, number in enumerate(allowed):
        code += struct.pack("=HBBI", _EQUAL, len(allowed) - position, 0, number)
    return code + refuse + struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)
