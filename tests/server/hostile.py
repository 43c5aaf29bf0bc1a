"""Readers that act like a codec that hostile bytes have taken over."""

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from threading import Thread

from handlers.kit.sandbox import Unreadable, needs_threads

GIGABYTE = 1024**3


def echo(content: bytes, before: str = "") -> str:
    return before + content.decode()


def count(content: bytes) -> int:
    return len(content)


def refuse(content: bytes) -> int:
    raise Unreadable(content.decode())


def fail(content: bytes) -> int:
    raise ZeroDivisionError(content.decode())


def spin(content: bytes) -> int:
    while True:
        pass


def swell(content: bytes) -> int:
    return len(bytearray(GIGABYTE))


def keep_much(content: bytes) -> int:
    globals()["kept"] = bytearray(b"x" * 150_000_000)
    return len(globals()["kept"])


def crash(content: bytes) -> int:
    return int(ctypes.memset(1, 0, 1))


def answer_without_end(content: bytes) -> int:
    sys.stdout.buffer.write(b"\xff" * 100)
    sys.stdout.buffer.flush()
    return 0


def answer_nonsense(content: bytes) -> int:
    sys.stdout.buffer.write(b"\0\0\0\1\xc1")
    sys.stdout.buffer.flush()
    return 0


def answer_another_type(content: bytes) -> int:
    return "no number"  # type: ignore[return-value]


def remember(content: bytes) -> str:
    """The state that the last job left."""
    before = globals().get("remembered", b"")
    globals()["remembered"] = content
    return before.decode()


def break_out(content: bytes) -> list[str]:
    """The ways out of the sandbox that are open."""
    target = int(content)
    ways: dict[str, Callable[[], object]] = {
        "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "read a file in the place of an open one": lambda: os.open("/etc/passwd", os.close(2) or 0),
        "write a file": lambda: os.open("/tmp/parley", os.O_CREAT | os.O_WRONLY),  # noqa: S108
        "connect": lambda: socket.socket().connect(("127.0.0.1", target)),
        "fork": os.fork,
        "execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        "signal the server": lambda: os.kill(os.getppid(), signal.SIGURG),
        "list a folder": lambda: os.listdir("/"),
        "raise its memory": lambda: _raise(resource.RLIMIT_AS, GIGABYTE),
        "raise its descriptors": lambda: _raise(resource.RLIMIT_NOFILE, 99),
    }
    return [name for name, way in ways.items() if _succeeds(way)]


@needs_threads
def break_out_with_threads(content: bytes) -> list[str]:
    """The ways out that are open to a process that can start threads, and threads if it can."""
    return [*break_out(content), *(["start a thread"] if start_thread(b"") else [])]


def start_thread(content: bytes) -> bool:
    try:
        Thread(target=len, args=("",)).start()
    except RuntimeError:
        return False
    return True


def _succeeds(way: Callable[[], object]) -> bool:
    try:
        way()
    except (OSError, ValueError):
        return False
    return True


def _raise(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))
    if resource.getrlimit(kind)[0] != most:
        raise ValueError
