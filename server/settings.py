"""The only reader of the environment: every setting, its default, and what it is for."""

import ipaddress
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from msgspec import Meta

from handlers import SYSTEMS
from handlers.kit.filter import Filter
from handlers.kit.registry import Registry, load_domains
from handlers.kit.rules import KitRules, Rules
from handlers.kit.settings import Setting, UnusableSetting, fill, settings_of
from handlers.kit.uniqueness import Names
from handlers.platform.send.rules import SendRules
from server import setting_values
from server.origins import Origins, origin_of
from server.setting_values import PREFIX, variable_of
from server.setting_values import WrongSetting as WrongSetting
from server.systems import served_systems
from storage.engine.database import check_url

SECRET_LENGTH_MIN = 32
REDIS_SCHEMES = ("redis://", "rediss://")


class Environment(msgspec.Struct, frozen=True):
    """Where and how this instance runs."""

    host: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on")] = 8000
    data_dir: Annotated[
        str,
        Meta(description="folder for the database, mails, the secret and unfinished exports"),
    ] = "var"
    database_url: Annotated[
        str, Meta(description="sqlite:///FILE or postgresql://… (default: SQLite in the data dir)")
    ] = ""
    redis_url: Annotated[str, Meta(description="Redis that connects the instances")] = ""
    systems: Annotated[
        tuple[str, ...],
        Meta(description="systems besides the platform, comma-separated; empty: none"),
    ] = ("all",)
    files_url: Annotated[
        str, Meta(description="file: (in <data>/files), file:FOLDER, or s3://BUCKET")
    ] = "file:"
    s3_endpoint: Annotated[
        str, Meta(description="S3 endpoint (default: Amazon's, in the region)")
    ] = ""
    s3_region: Annotated[str, Meta(description="region of the bucket")] = "us-east-1"
    s3_key_id: Annotated[
        str, Meta(description="access key (default: the machine's credentials)")
    ] = ""
    s3_secret: Annotated[str, Meta(description="secret of the access key")] = ""
    secret: Annotated[
        str, Meta(description="server secret, 32 characters or more (default: generated)")
    ] = ""
    limits: Annotated[
        Literal["default", "off"], Meta(description="off disables rate limits, for load tests")
    ] = "default"
    log: Annotated[Literal["text", "json"], Meta(description="log format")] = "text"
    origins: Annotated[
        tuple[str, ...], Meta(description="other web origins of pages and files, comma-separated")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="networks whose X-Forwarded-For is trusted, comma-separated"),
    ] = ()
    connections_max: Annotated[
        int, Meta(ge=0, description="open connections in total (default: from the file limit)")
    ] = 0
    connections_per_address: Annotated[
        int, Meta(ge=1, description="open connections per address")
    ] = 2_000
    visitors_per_address: Annotated[
        int, Meta(ge=1, description="open connections of visitors, per address")
    ] = 400
    requests_burst: Annotated[int, Meta(ge=1, description="HTTP requests at once, per address")] = (
        10_000
    )
    requests_per_s: Annotated[
        float, Meta(gt=0, description="HTTP requests per second after the burst")
    ] = 300
    entries_burst: Annotated[
        int, Meta(ge=1, description="namespaces entered at once, per connection")
    ] = 60
    entries_per_s: Annotated[
        float, Meta(gt=0, description="namespaces per second after the burst")
    ] = 10
    frames_burst: Annotated[int, Meta(ge=1, description="frames read at once, per connection")] = (
        3_000
    )
    frames_per_s: Annotated[float, Meta(gt=0, description="frames per second after the burst")] = (
        500
    )
    decoding_burst: Annotated[
        int, Meta(ge=1, description="seconds of file decoding at once, per user")
    ] = 30
    decoding_per_s: Annotated[
        float, Meta(gt=0, description="decoding seconds per second after the burst")
    ] = 0.25
    replays_burst: Annotated[
        int, Meta(ge=1, description="missed events replayed at once, per user")
    ] = 20_000
    replays_per_s: Annotated[
        float, Meta(gt=0, description="replayed events per second after the burst")
    ] = 1_000
    work_burst: Annotated[
        int, Meta(ge=1, description="work units of commands at once, per user (PROTOCOL.md)")
    ] = 400
    work_per_s: Annotated[
        float, Meta(gt=0, description="work units per second after the burst")
    ] = 40
    connections_per_s: Annotated[
        int, Meta(ge=1, description="connections per second, per address")
    ] = 30
    sockets_per_person: Annotated[int, Meta(ge=1, description="open connections per user")] = 16
    replay_stream_max: Annotated[
        int, Meta(ge=0, description="replayed events per stream, without read and delivery marks")
    ] = 1_000
    replay_connection_max: Annotated[
        int, Meta(ge=0, description="replayed events per connection")
    ] = 10_000
    drain_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="time for clients to move to other instances at a stop"),
    ] = 10
    consumer_tries: Annotated[
        int, Meta(ge=1, description="attempts before a delivery is parked")
    ] = 8
    consumer_backoff_s: Annotated[
        float, Meta(gt=0, description="delay before a consumer's first retry")
    ] = 0.5


class Settings:
    """All settings of one instance, checked."""

    def __init__(self, values: dict[str, Any], domains: Registry, *, is_public: bool) -> None:
        """`values`: of all settings, by name.

        `is_public`: the public address was given; else it is a guess for development.
        """
        self.declared: Mapping[str, Any] = values
        self.environment = environment = fill(Environment, values)
        if not is_public and environment.port:
            values["public_url"] = f"http://localhost:{environment.port}"
        self.rules = rules = _rules(domains, values)
        self.data_dir = Path(environment.data_dir)
        self.database_url = environment.database_url or f"sqlite:///{self.data_dir}/parley.db"
        self.shared = self.database_url.startswith("postgres") or bool(environment.redis_url)
        self.filter = _filter(domains, rules)
        self.systems = _systems(environment.systems)
        self._proxies = [_network(text) for text in environment.trusted_proxies]
        public = _public_origin(rules.of(KitRules).public_url)
        self._origins = Origins(public if is_public else None, _listed(environment.origins))
        _check(self)

    def secret(self) -> str:
        """The given secret, or the one that is made at the first start and kept in the data dir."""
        if self.environment.secret:
            return self.environment.secret
        file = self.data_dir / "secret"
        if not file.exists():
            _make_secret(file)
        secret = file.read_text().strip()
        if len(secret) < SECRET_LENGTH_MIN:
            raise WrongSetting(f"{file} is damaged: it contains no secret; restore it or remove it")
        return secret

    def mail_folder(self) -> Path | None:
        """Where mails are written as files; None when they go out by SMTP."""
        return self._folder(self.rules.of(SendRules).mail_url, "mail")

    def files_folder(self) -> Path | None:
        """Where people's files are kept; None when they are in S3."""
        return self._folder(self.environment.files_url, "files")

    def _folder(self, url: str, name: str) -> Path | None:
        scheme, _, folder = url.partition(":")
        if scheme != "file":
            return None
        return Path(folder) if folder else self.data_dir / name

    def allows_origin(self, origin: str, request: web.BaseRequest) -> bool:
        """Whether a page of `origin` may make this request: our own, or one that is listed."""
        return self._origins.allows(origin, request)

    def reached_of(self, request: web.BaseRequest) -> str:
        """The allowed origin by which a client reached this server; empty if there is none.

        Trusted proxies may have terminated TLS.
        """
        schemes = ("https", "http") if self.is_proxy(request.remote or "") else (request.scheme,)
        return self._origins.reached(request, schemes)

    def address_of(self, request: web.Request) -> str:
        """The client's address; X-Forwarded-For counts only behind trusted proxies."""
        address = request.remote or ""
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        hops = [hop.strip() for hop in forwarded.split(",")]
        while hops and hops[-1] and self.is_proxy(address):
            address = hops.pop()
        return address[:64]

    def is_proxy(self, address: str) -> bool:
        """Whether an address is a trusted proxy's."""
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies)


def _make_secret(file: Path) -> None:
    """Write it whole or not at all; whoever is first of several makes the one that counts."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent) as fresh:  # readable by us alone
        fresh.write(secrets.token_urlsafe(48))
        fresh.flush()
        os.fsync(fresh.fileno())
        with suppress(FileExistsError):
            os.link(fresh.name, file)


def read_settings(
    environ: Mapping[str, str] = os.environ, domains: Registry | None = None
) -> Settings:
    """The settings of `environ`, for these domains or all; raises WrongSetting with one clear line.

    Raises WrongDeclaration when a domain declares a setting of the server's own.
    """
    domains = domains or load_domains(SYSTEMS)
    values = setting_values.read_all(list_settings(domains), environ)
    return Settings(values, domains, is_public=bool(environ.get(variable_of("public_url"))))


def list_settings(domains: Registry) -> tuple[Setting, ...]:
    """All there are: the server's, the kit's and those of domains; raises WrongDeclaration."""
    own, names = settings_of(Environment), Names("setting")
    names.reserve([setting.name for setting in own], "the server")
    for place, setting in domains.placed_settings:
        names.take(setting.name, place)
    return (*own, *domains.settings)


def describe_settings() -> str:
    """Every setting with its default, for `run.py --help`."""
    settings = list_settings(load_domains(SYSTEMS))
    lines = map(setting_values.describe, settings)
    return "\n".join(["Settings (environment variables):", "", *lines])


def _systems(named: tuple[str, ...]) -> frozenset[str]:
    try:
        return served_systems(named)
    except ValueError as error:
        raise WrongSetting(f"{PREFIX}SYSTEMS: {error}") from None


def _rules(domains: Registry, values: Mapping[str, Any]) -> Rules:
    with _naming_its_variable():
        return domains.make_rules(values)


def _filter(domains: Registry, rules: Rules) -> Filter:
    with _naming_its_variable():
        return domains.open_filter(rules)


@contextmanager
def _naming_its_variable() -> Iterator[None]:
    """Raises WrongSetting for a value that its domain cannot use."""
    try:
        yield
    except UnusableSetting as error:
        raise WrongSetting(f"{variable_of(error.name)}: {error}") from None


def _public_origin(url: str) -> str:
    parts = urlsplit(url)
    origin = origin_of(f"{parts.scheme}://{parts.netloc}")
    if origin is None or parts.scheme not in ("http", "https"):
        raise WrongSetting("PARLEY_PUBLIC_URL must begin with http:// or https:// and a host name")
    if parts.query or parts.fragment:
        raise WrongSetting("PARLEY_PUBLIC_URL must not have a query or a fragment")
    return origin


def _listed(origins: tuple[str, ...]) -> list[str]:
    normal = [origin_of(text) for text in origins]
    if None in normal:
        wrong = origins[normal.index(None)]
        raise WrongSetting(f"PARLEY_ORIGINS: {wrong!r} is not an origin (scheme://host or …:port)")
    return [origin for origin in normal if origin is not None]


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise WrongSetting(f"PARLEY_TRUSTED_PROXIES: {error}") from None


def _check_database_address(url: str) -> None:
    """Raises WrongSetting, which never shows the URL: it may have a password in it."""
    try:
        check_url(url)
    except ValueError as error:
        raise WrongSetting(f"PARLEY_DATABASE_URL {error}") from None


def _check(settings: Settings) -> None:
    environment = settings.environment
    if fault := setting_values.fault_of(settings.database_url, environment.files_url):
        raise WrongSetting(fault)
    if environment.database_url:
        _check_database_address(environment.database_url)
    if not environment.files_url.startswith(("file:", "s3://")):
        raise WrongSetting("PARLEY_FILES_URL must begin with file: or s3://")
    if environment.redis_url and not settings.database_url.startswith("postgresql"):
        raise WrongSetting("PARLEY_REDIS_URL is for several instances, which need PostgreSQL")
    if environment.redis_url and not environment.redis_url.startswith(REDIS_SCHEMES):
        raise WrongSetting("PARLEY_REDIS_URL must begin with redis:// or rediss://")
    if settings.shared and not environment.secret:
        raise WrongSetting("PARLEY_SECRET is required with PostgreSQL or Redis: instances share it")
    if environment.secret and len(environment.secret.strip()) < SECRET_LENGTH_MIN:
        raise WrongSetting(f"PARLEY_SECRET needs at least {SECRET_LENGTH_MIN} characters")
