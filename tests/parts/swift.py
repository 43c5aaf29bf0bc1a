"""OpenStack Swift on loopback with its S3 interface, which checks the signatures of uploads.

Swift has four programs: a proxy, which provides S3 and checks signatures, and behind it one each
for accounts, containers and objects. They store everything in a temporary folder. Each is a single
process, so that killing it ends all of it, and ends if the tests' process dies. None changes its
user: Swift does that only in workers.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.parts.ports import free_port

START_LIMIT_S = 30
ANSWER_LIMIT_S = 10
POLL_S = 0.02
LOG_TAIL = 3000
"""Characters of each log to show in the error of a failed start."""
REGION = "us-east-1"
KEY_ID = "parley:uploads"

MODULES = {"account": "account", "container": "container", "object": "obj", "proxy": "proxy"}
"""Swift's packages by program; the proxy comes last, because it needs the others."""

PROXY_PIPELINE = "catch_errors gatekeeper healthcheck s3api tempauth bulk slo proxy-server"

CONF = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
bind_timeout = 1
# None forks: the program is its own only worker.
workers = 0
# The log is standard error. There is no way to have none at syslog: this is the port of discard.
log_udp_host = 127.0.0.1
log_udp_port = 9
# A full disk is for the tests to tell, not a reserve of 1 %.
fallocate_reserve = 0
disable_fallocate = true
# A machine with much to do is slow: no answer is worse than a late one, because a listing that is
# told too late is left to a program that does not run here.
conn_timeout = 10
node_timeout = 30
container_update_timeout = 30
# Uploads that tests break on purpose do not take the only disk out of service.
error_suppression_limit = 1000000
account_autocreate = true
# Pages of every origin may upload and read; there is no PutBucketCors to say which.
cors_allow_origin = *

[pipeline:main]
pipeline = {pipeline}

[app:{name}-server]
use = egg:swift#{name}

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:s3api]
use = egg:swift#s3api
location = {region}
cors_preflight_allow_origin = *
# As many parts as S3 takes, here and in slo.
max_upload_part_num = 10000

[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin

[filter:bulk]
use = egg:swift#bulk

[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
"""

RINGS = """
import sys
from swift.common.ring import RingBuilder

folder, *servers = sys.argv[1:]
for server in servers:
    name, port = server.split("=")
    ring = RingBuilder(part_power=1, replicas=1, min_part_hours=0)
    place = {"ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1}
    ring.add_dev({"region": 1, "zone": 1, **place})
    ring.rebalance()
    ring.get_ring().save(f"{folder}/{name}.ring.gz")
"""
"""The main program. Swift is not imported here, because it replaces sockets with eventlet's."""


@dataclass(frozen=True)
class Swift:
    """The server's address and its only key."""

    endpoint: str
    region: str
    key_id: str
    secret: str

    def create_bucket(self) -> str:
        """Create an empty bucket; returns its name."""
        name = f"bucket-{secrets.token_hex(8)}"
        request = AWSRequest("PUT", f"{self.endpoint}/{name}")
        S3SigV4Auth(Credentials(self.key_id, self.secret), "s3", self.region).add_auth(request)
        port = int(self.endpoint.rpartition(":")[2])
        status, body = _ask(port, "PUT", f"/{name}", dict(request.headers))
        assert status == 200, body
        return name


@contextmanager
def running_swift() -> Iterator[Swift]:
    """Start a Swift, and stop and remove it afterwards.

    Raises RuntimeError, with the ends of the logs, if it does not start, and OSError if the file
    system of the temporary folder has no extended attributes.
    """
    with TemporaryDirectory(prefix="parley-swift-", ignore_cleanup_errors=True) as path:
        folder = Path(path)
        _check_attributes(folder)
        ports = {name: free_port() for name in MODULES}
        secret = secrets.token_hex(20)
        _write_settings(folder, ports, secret)
        with ExitStack() as stack:
            processes = {name: _start(stack, folder, name) for name in MODULES}
            _wait_until_ready(folder, processes, ports)
            yield Swift(f"http://127.0.0.1:{ports['proxy']}", REGION, KEY_ID, secret)


def _check_attributes(folder: Path) -> None:
    """Raise OSError without extended attributes, in which Swift stores an object's metadata."""
    probe = folder / "attributes"
    probe.touch()
    try:
        os.setxattr(probe, "user.swift.metadata", b"x" * 1000)
    except OSError as error:
        error.add_note(f"{folder} keeps no extended attributes: let TMPDIR name another disk")
        raise


def _write_settings(folder: Path, ports: Mapping[str, int], secret: str) -> None:
    (folder / "disk").mkdir()
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = parley\n")
    for name, port in ports.items():
        pipeline = PROXY_PIPELINE if name == "proxy" else f"healthcheck {name}-server"
        values = {"folder": folder, "name": name, "port": port, "pipeline": pipeline}
        values |= {"user": KEY_ID.replace(":", "_"), "secret": secret, "region": REGION}
        (folder / f"{name}.conf").write_text(CONF.format_map(values))
    _make_rings(folder, ports)


def _make_rings(folder: Path, ports: Mapping[str, int]) -> None:
    """Configure where the proxy finds the other programs, which share a single disk."""
    servers = [f"{name}={port}" for name, port in ports.items() if name != "proxy"]
    made = subprocess.run(
        [sys.executable, "-c", RINGS, str(folder), *servers],
        env=_environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
    )
    if made.returncode:
        raise RuntimeError(f"Swift's rings could not be made:\n{made.stderr}")


def _start(stack: ExitStack, folder: Path, name: str) -> subprocess.Popen[bytes]:
    """Start one program, which the stack ends."""
    program = [sys.executable, "-m", f"swift.{MODULES[name]}.server"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*_until_our_death(), *program, str(folder / f"{name}.conf"), "--verbose"],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill it, since its data is temporary."""
    process.kill()
    process.wait()


def _until_our_death() -> list[str]:
    """A command prefix that ends the command if this process dies; empty where unsupported."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=KILL", "--"] if setpriv else []


def _environment() -> dict[str, str]:
    """A clean environment: the caller's may name proxies and folders of other Pythons."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _wait_until_ready(
    folder: Path, processes: Mapping[str, subprocess.Popen[bytes]], ports: Mapping[str, int]
) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    for name, process in processes.items():
        while not _is_healthy(ports[name]):
            ended = process.poll()
            if ended is not None or time.monotonic() > deadline:
                what = "takes too long" if ended is None else f"ended with {ended}"
                raise RuntimeError(f"Swift did not start, {name} {what}.\n{_logs(folder)}")
            time.sleep(POLL_S)


def _is_healthy(port: int) -> bool:
    try:
        return _ask(port, "GET", "/healthcheck", {})[0] == 200
    except (OSError, HTTPException):
        return False


def _ask(port: int, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Send a request, ignoring proxies in the environment; returns the status and the body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _logs(folder: Path) -> str:
    ends = [
        f"--- {file.stem}\n{file.read_text(errors='replace')[-LOG_TAIL:]}"
        for file in sorted(folder.glob("*.log"))
    ]
    return "\n".join(ends)
