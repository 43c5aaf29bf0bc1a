"""Starts programs of this repository by forking a process that has loaded its modules.

A start of `run.py` spends a second of CPU time on imports. Here, one launcher for each test process
imports them once, and each start is a fork. Programs that must load by themselves, such as those
that test the command line, are started with `subprocess`.

Invariants:
- The launcher has one thread and no event loop, so that forking it is safe.
- For each program the launcher forks a keeper, which forks the program, reports its process id, and
  then waits for its end and reports its exit code.
- Everything dies with the test process: the launcher reads the end of its socket, and the kernel
  kills keepers and programs when the process above them ends.
"""

import atexit
import ctypes
import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parent.parent.parent
REQUEST_MAX = 64 * 1024
"""Bytes of a request; most of it is the environment."""
REPORT_MAX = 64
START_LIMIT_S = 30.0
RUN_LIMIT_S = 60.0
PR_SET_PDEATHSIG = 1


class Launched:
    """A running program, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, reports: socket.socket) -> None:
        self._reports = reports
        self.returncode: int | None = None

    @functools.cached_property
    def pid(self) -> int:
        self._reports.settimeout(START_LIMIT_S)
        return int(self._reports.recv(REPORT_MAX))

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the program runs."""
        if self.returncode is None:
            try:
                self._receive(timeout_s=0)
            except BlockingIOError:
                return None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the program has ended; raises TimeoutError after `timeout` s."""
        if self.returncode is None:
            self._receive(timeout)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _receive(self, timeout_s: float | None) -> None:
        assert self.pid
        self._reports.settimeout(timeout_s)
        self.returncode = int(self._reports.recv(REPORT_MAX))
        self._reports.close()


def launch(
    arguments: list[str],
    environ: Mapping[str, str],
    output: IO[Any],
    errors: IO[Any] | None = None,
) -> Launched:
    """Start `python ARGUMENT...` in the repository's folder; `output` takes errors too, or not."""
    ours, keepers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    umask = os.umask(0)
    os.umask(umask)
    request = {"arguments": arguments, "environ": dict(environ), "umask": umask}
    with keepers:
        descriptors = [keepers.fileno(), output.fileno(), (errors or output).fileno()]
        socket.send_fds(_launcher(), [json.dumps(request).encode()], descriptors)
    return Launched(ours)


def run_to_end(
    arguments: list[str], environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENT...`; raises TimeoutError if it does not end."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        code = launch(arguments, environ, output, errors).wait(RUN_LIMIT_S)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())


def start_anew(
    arguments: list[str], environ: Mapping[str, str], output: IO[Any], root: Path = ROOT
) -> "subprocess.Popen[bytes]":
    """Start `python ARGUMENT...` in a copy of the repository, which loads its own modules."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


@functools.cache
def _launcher() -> socket.socket:
    """Start this test process' launcher; returns the socket for requests."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.parts.launcher", str(its.fileno())],
            cwd=ROOT,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


# In the launcher.


def load_modules() -> None:
    """Import what programs import when they start and serve, except for their entry point."""
    import alembic.autogenerate  # noqa: F401
    import asyncpg  # noqa: F401

    import rooms.redis_bus  # noqa: F401
    import run  # noqa: F401
    import storage.engine.revisions  # noqa: F401
    from handlers import SYSTEMS
    from handlers.kit.registry import load_domains

    load_domains(SYSTEMS)
    gc.freeze()  # a collection in a program would copy every page


def fork_programs(requests: socket.socket) -> list[str]:
    """Fork a program for each request; returns only in the programs, with their arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test process decides when to end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    while True:
        content, descriptors, _, _ = socket.recv_fds(requests, REQUEST_MAX, 3)
        if not content:
            sys.exit()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            return _fork_one(json.loads(content), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_one(request: dict[str, Any], reports: int, output: int, errors: int) -> list[str]:
    """In a keeper: fork the program and report on it; returns only in the program."""
    _die_with_parent()
    if pid := os.fork():
        with socket.socket(fileno=reports) as keeper:
            keeper.send(str(pid).encode())
            _, status = os.waitpid(pid, 0)
            keeper.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for descriptor in (reports, output, errors):
        os.close(descriptor)
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environ"])
    arguments: list[str] = request["arguments"]
    return arguments


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_program(arguments: list[str]) -> None:
    """Do what `python ARGUMENT...` does, for a file or `-m` and a module."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    load_modules()
    run_program(fork_programs(socket.socket(fileno=int(sys.argv[1]))))
