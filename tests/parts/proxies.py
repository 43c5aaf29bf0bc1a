"""nginx and HAProxy with the configuration files of deploy/, in front of local instances.

`changes_of_…` lists the differences from those files; each replaced text must occur in its file.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.parts.ports import free_port
from tests.parts.postgres import unprivileged
from tests.world import ROOT, until

START_LIMIT_S = 10
STOP_LIMIT_S = 5
CONNECTIONS_MAX = 40
"""Connections of one address at a time, in these tests; deploy/ has thousands."""
REQUESTS_MAX = 400
"""Requests of one address at once."""

BODY_WITHIN_S = 2
"""The time limit for a body, or for a pause within it."""


@dataclass(frozen=True)
class Places:
    """A proxy's ports and folder, and the ports of its instances."""

    http: int
    https: int
    folder: Path
    instances: Sequence[int]


Changes = dict[str, str]
"""Texts in a file of deploy/, with their replacements."""


def changes_of_nginx(at: Places) -> Changes:
    writes = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{what}_temp_path {at.folder}/{what};\n" for what in writes)
    return {
        "user www-data;\n": "",
        "worker_processes auto;": "worker_processes 2;",
        "worker_rlimit_nofile 65536;\n": "",
        "worker_connections 30000;": "worker_connections 1000;",
        "/run/nginx.pid": f"{at.folder}/nginx.pid",
        "http {\n": f"http {{\n{paths}",
        "listen 80;": f"listen 127.0.0.1:{at.http};",
        "listen 443 ssl": f"listen 127.0.0.1:{at.https} ssl",
        "listen [::]:80;\n": "",
        "listen [::]:443 ssl http2;\n": "",
        "/etc/nginx/tls/parley.": f"{at.folder}/parley.",
        "limit_conn connections 4000": f"limit_conn connections {CONNECTIONS_MAX}",
        "client_body_timeout 10s;": f"client_body_timeout {BODY_WITHIN_S}s;",
        "burst=40000": f"burst={REQUESTS_MAX}",
        "rate=1000r/s": "rate=40r/s",
    }


def changes_of_haproxy(at: Places) -> Changes:
    return {
        "    user haproxy\n    group haproxy\n": "",
        "maxconn 30000": "maxconn 1000",
        "bind :80,[::]:80 v6only": f"bind 127.0.0.1:{at.http}",
        "bind :443,[::]:443 v6only": f"bind 127.0.0.1:{at.https}",
        "/etc/haproxy/parley.pem": f"{at.folder}/parley.pem",
        "wait-for-body time 10s": f"wait-for-body time {BODY_WITHIN_S}s",
        "sc0_conn_cur gt 4000": f"sc0_conn_cur gt {CONNECTIONS_MAX}",
        "sc0_http_req_rate gt 40000": f"sc0_http_req_rate gt {REQUESTS_MAX}",
    }


@dataclass(frozen=True)
class Kind:
    """One of the proxies: its program and its file."""

    name: str
    file: Path
    changes: Callable[[Places], Changes]
    options: tuple[str, ...]

    def command(self, folder: Path) -> list[str]:
        path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
        program = shutil.which(self.name, path=path)
        if program is None:
            raise FileNotFoundError(f"{self.name}: run sh scripts/services")
        own = folder / self.file.name
        return [*unprivileged("TERM"), program, *self.options, str(own)]

    def write(self, at: Places) -> None:
        """Write the file of deploy/, with its changes, to the folder."""
        text = self.file.read_text()
        here = {
            f"parley-{number}:8000": f"127.0.0.1:{port}"
            for number, port in enumerate(at.instances, 1)
        }
        for before, after in {**here, **self.changes(at)}.items():
            assert before in text, f"{self.file.name} does not say {before!r}"
            text = text.replace(before, after)
        (at.folder / self.file.name).write_text(text)


NGINX = Kind(
    "nginx",
    ROOT / "deploy" / "nginx.conf",
    changes_of_nginx,
    ("-e", "stderr", "-g", "daemon off;", "-c"),
)
HAPROXY = Kind("haproxy", ROOT / "deploy" / "haproxy.cfg", changes_of_haproxy, ("-f",))


@dataclass(frozen=True)
class RunningProxy:
    """A running proxy; its clients must trust `certificate`."""

    name: str
    at: Places
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.at.https}"

    @property
    def plain_url(self) -> str:
        return f"http://127.0.0.1:{self.at.http}"

    @property
    def log(self) -> str:
        return (self.at.folder / "log").read_text()


@asynccontextmanager
async def running_proxy(kind: Kind, instances: Sequence[int]) -> AsyncIterator[RunningProxy]:
    """Start a proxy in front of the instances on these ports, and end it afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"parley-{kind.name}-") as name:
        folder = Path(name)
        folder.chmod(0o777)  # for the unprivileged account that it runs as
        at = Places(free_port(), free_port(), folder, instances)
        make_certificate(folder)
        kind.write(at)
        proxy = RunningProxy(kind.name, at, folder / "parley.crt")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                kind.command(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
            )
        try:
            await until(lambda: serves(proxy, process), within_s=START_LIMIT_S)
            yield proxy
        finally:
            process.terminate()
            process.wait(STOP_LIMIT_S)


async def serves(proxy: RunningProxy, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, proxy.log
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(proxy.plain_url, allow_redirects=False),
        ):
            return True
    except aiohttp.ClientError:
        return False


def make_certificate(folder: Path, *hosts: str) -> None:
    """Write a self-signed certificate for 127.0.0.1 and `hosts`, in the formats of both proxies."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Parley's tests")])
    now = datetime.now(UTC)
    names = [x509.IPAddress(ip_address("127.0.0.1")), *map(x509.DNSName, hosts)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "parley.crt").write_bytes(public)
    (folder / "parley.key").write_bytes(private)
    (folder / "parley.pem").write_bytes(public + private)
