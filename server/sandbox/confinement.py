"""Permanently removes privileges from the process that parses untrusted bytes.

Limits on memory and descriptors, and the server's limit on time, stop hostile files from exhausting
the machine. The list of system calls is for a file that takes over a codec: it can reach neither
files nor network nor other processes. That list is for Linux only; other systems get their limits.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path

ADDRESS_SPACE_MAX = 448 * 1024**2
"""Bytes: for the most expensive accepted picture (320 MiB), the interpreter and its libraries
(about 40 MiB), and a reserve for allocations of codecs other than pixels."""
DESCRIPTORS = 3
"""Both pipes, and /dev/null as standard error."""
SYSTEM_CALLS = "system calls"
NICE = 10
"""Gives the server priority on a shared core."""
_PDEATHSIG, _SECCOMP, _NO_NEW_PRIVS = 1, 22, 38
_FILTER_MODE = 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_UNKNOWN = 0x00050000 | errno.ENOSYS
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Architectures and their audit constants; the system call numbers below are in this order."""
_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "futex": (202, 98),
    "clock_gettime": (228, 113),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
}
_THREAD_CALLS = {"set_robust_list": (273, 99), "rseq": (334, 293)}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_OF_A_THREAD = 0x3D0F00
"""The flags with which the C library starts a thread; no others are allowed, so no process."""
_ARENA_MAX = -8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine(parent_pid: int, threads: bool) -> list[str]:
    """Remove all privileges not needed; returns the confinements that cannot be enforced here.

    With `threads`, the process can start threads, but no other processes.
    """
    os.nice(NICE)
    for kind, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE_MAX),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        resource.setrlimit(kind, (most, most))
    if not threads:  # the limit counts all threads of the account, so it can only be none
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    missing = ["death with the server", "no new privileges", SYSTEM_CALLS]
    if sys.platform == "linux":
        missing = _confine_on_linux(parent_pid, threads)
    if threads and SYSTEM_CALLS in missing:  # then it could start more than threads
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return missing


def close_inherited() -> None:
    """Close all but the standard descriptors: uvloop passes on its inheritable ones."""
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the descriptor that listed the folder
            if int(name) >= DESCRIPTORS:
                os.close(int(name))


def be_killed_first() -> None:
    """If a container runs out of memory, let the OOM killer end the sandbox, not the server."""
    file = Path("/proc/self/oom_score_adj")
    if file.exists():
        file.write_text("1000")


def _confine_on_linux(parent_pid: int, threads: bool) -> list[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    missing = []
    if threads and hasattr(libc, "mallopt"):
        libc.mallopt(_ARENA_MAX, 1)  # else each thread reserves 64 MiB of addresses
    if libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        missing.append("death with the server")
    if os.getppid() != parent_pid:
        sys.exit("the server has exited")
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        missing.append("no new privileges")
    machine = platform.machine()
    if machine not in _MACHINES or libc.prctl(
        _SECCOMP, _FILTER_MODE, _filter(machine, threads), 0, 0
    ):
        missing.append(SYSTEM_CALLS)
    return missing


def _filter(machine: str, threads: bool) -> object:
    """A filter program that allows `_CALLS` and refuses all others (seccomp(2))."""
    which = list(_MACHINES).index(machine)
    allowed = {**_CALLS, **_THREAD_CALLS} if threads else _CALLS
    calls = [numbers[which] for numbers in allowed.values()]
    start = _steps_to_start_a_thread(which) if threads else []
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _MACHINES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        *((_EQUAL, len(calls) + len(start) - at, 0, call) for at, call in enumerate(calls)),
        *start,
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    instructions = b"".join(struct.pack("HBBI", *step) for step in steps)
    return ctypes.byref(_Program(len(steps), instructions))


def _steps_to_start_a_thread(which: int) -> list[tuple[int, int, int, int]]:
    """Steps before the last two, which refuse and allow.

    A filter cannot read the flags of `clone3`. If the kernel seems not to have that call, the C
    library uses `clone`.
    """
    return [
        (_EQUAL, 0, 1, _CLONE3[which]),
        (_RETURN, 0, 0, _UNKNOWN),
        (_EQUAL, 0, 2, _CLONE[which]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_EQUAL, 1, 0, _OF_A_THREAD),
    ]
