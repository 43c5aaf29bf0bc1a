"""Simulates disk faults for one thread: the operating system refuses its system calls."""

import ctypes
import errno
import platform
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _FAIL = 0x7FFF_0000, 0x0005_0000
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}
"""The numbers of fsync and fdatasync."""


def refuse_syncs() -> None:
    """Make every later fsync of the calling thread fail, as on a broken disk."""
    fsync, fdatasync = SYNCS[platform.machine()]
    program = b"".join(
        (
            _step(_LOAD),
            _step(_IF_EQUAL, fsync, then=1),
            _step(_IF_EQUAL, fdatasync, otherwise=1),
            _step(_RETURN, _FAIL | errno.EIO),
            _step(_RETURN, _ALLOW),
        )
    )
    steps = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxP", 5, ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(filter_), 0, 0),
    ):
        if libc.prctl(*words):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


def _step(code: int, value: int = 0, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)
