"""A PostgreSQL cluster for the tests, in a temporary folder and on a free port.

If the tests run as root, it runs as an unprivileged account, because PostgreSQL refuses root. It
gets a signal to stop if the tests' process dies for any reason. Its data is temporary, so it does
not sync to disk.
"""

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.ports import free_port

READY = "database system is ready to accept connections"
START_LIMIT_S = 30
STOP_LIMIT_S = 10
PORTS_TRIED = 5
OLDEST_VERSION = 13
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "fsync": "off",
    "full_page_writes": "off",
}


class Cluster:
    """A running server, which creates and drops databases."""

    def __init__(self, server: "_Server", binaries: Path, port: int, password: str) -> None:
        self.port = port
        self._server = server
        self._binaries = binaries
        self._password = password

    def create(self, name: str) -> str:
        """Create an empty database whose name begins with `name`; returns its URL."""
        database = f"{re.sub('[^a-z0-9]+', '_', name.lower())[:40]}_{secrets.token_hex(4)}"
        self._sql(f'CREATE DATABASE "{database}" TEMPLATE template0')
        return f"postgresql+asyncpg://parley:{self._password}@127.0.0.1:{self.port}/{database}"

    def drop(self, url: str) -> None:
        """Drop a database that `create` created, and close its open connections."""
        self._sql(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def stop(self) -> None:
        """Stop at once, as in a crash; after `start`, committed data is there."""
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def wait_until_ready(self) -> bool:
        return self._server.wait_until_ready()

    def _sql(self, statement: str) -> None:
        subprocess.run(
            [self._binaries / "psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGUSER": "parley",
                "PGPASSWORD": self._password,
                "PGDATABASE": "postgres",
            },
            check=True,
            capture_output=True,
            text=True,
            timeout=START_LIMIT_S,
        )


@contextmanager
def running_cluster(**settings: str) -> Iterator[Cluster]:
    """Start a cluster with these settings, and stop and remove it afterwards.

    Raises FileNotFoundError if PostgreSQL is not installed, RuntimeError if it does not start.
    """
    binaries = find_binaries()
    password = secrets.token_hex(16)
    folder = Path(tempfile.mkdtemp(prefix="parley-postgres-"))
    try:
        _make_cluster(binaries, folder, password)
        server, port = _start_on_a_free_port(binaries, folder, settings)
        try:
            yield Cluster(server, binaries, port, password)
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path:
    """The program folder of the newest installed PostgreSQL, which is not on PATH in Debian."""
    installed = {
        int(folder.parent.name): folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdecimal() and (folder / "initdb").exists()
    }
    newest = max(installed, default=0)
    if newest < OLDEST_VERSION:
        raise FileNotFoundError(f"PostgreSQL >= {OLDEST_VERSION}: run sh scripts/services")
    return installed[newest]


class _Server:
    """The server's process, and the thread that reads its log."""

    def __init__(self, binaries: Path, data: Path, port: int, settings: dict[str, str]) -> None:
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._data = data
        self._command = [binaries / "postgres", "-D", data, f"--port={port}", *options]
        self.start()

    def start(self) -> None:
        self._log: deque[str] = deque(maxlen=50)
        self._told = threading.Event()
        self.is_ready = False
        self._process = subprocess.Popen(
            [*unprivileged(), *self._command],
            cwd=self._data,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Read the log to its end, because a full pipe would block the server."""
        assert self._process.stderr
        for line in self._process.stderr:
            self._log.append(line)
            if READY in line:
                self.is_ready = True
                self._told.set()
        self._told.set()

    def wait_until_ready(self) -> bool:
        """Wait until it accepts connections; returns False if it ends or takes too long."""
        self._told.wait(START_LIMIT_S)
        return self.is_ready

    @property
    def log(self) -> str:
        return "".join(self._log)

    def stop(self) -> None:
        """Stop at once, without a checkpoint."""
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_LIMIT_S)
        if self._process.stderr and not self._reader.is_alive():
            self._process.stderr.close()


def _start_on_a_free_port(
    binaries: Path, folder: Path, settings: dict[str, str]
) -> tuple[_Server, int]:
    """Try several ports, since another process may take one before the server starts."""
    for _ in range(PORTS_TRIED):
        port = free_port()
        server = _Server(binaries, folder / "data", port, SETTINGS | settings)
        if server.wait_until_ready():
            return server, port
        server.stop()
    raise RuntimeError(f"PostgreSQL did not start:\n{server.log}")


def _make_cluster(binaries: Path, folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if account := _account():
        for path in (folder, secret):
            os.chown(path, account.pw_uid, account.pw_gid)
    made = subprocess.run(
        [
            *unprivileged(),
            *(binaries / "initdb", "-D", folder / "data", "--no-sync", "--username=parley"),
            *("--auth=password", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"),
        ],
        cwd=folder,
        env=_environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise RuntimeError(f"initdb failed:\n{made.stderr}")


def _account() -> pwd.struct_passwd | None:
    """The account to switch to; None unless this process is root."""
    if os.geteuid() != 0:
        return None
    known = {account.pw_name: account for account in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def unprivileged(at_death: str = "QUIT") -> list[str]:
    """A command prefix that drops root, and sends a signal if this process dies."""
    setpriv = shutil.which("setpriv")
    account = _account()
    if not setpriv:
        if account:
            raise FileNotFoundError("setpriv (Debian's util-linux), to start PostgreSQL as root")
        return []
    identity = (
        [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        if account
        else []
    )
    return [setpriv, *identity, f"--pdeathsig={at_death}", "--"]


def _environment() -> dict[str, str]:
    """A clean environment: the caller's may have a PGHOST or PGPORT of another server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
