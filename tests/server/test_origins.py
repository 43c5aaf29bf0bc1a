"""Pages may use the server depending on their full origin, never on the Host header."""

import aiohttp
import pytest

from server.origins import origin_of
from server.settings import WrongSetting, read_settings
from tests.world import one_database

OURS = "https://parley.example"
PUBLIC = pytest.mark.settings(PARLEY_PUBLIC_URL=f"{OURS}/app", PARLEY_ORIGINS="https://b.example")


async def statuses_of(world, origin, **more):
    """The statuses of a polling handshake and of a changing REST request."""
    headers = {"Origin": origin, **more}
    async with aiohttp.ClientSession() as http:
        address = f"{world.url}/socket.io/?EIO=4&transport=polling"
        async with http.get(address, headers=headers) as answer:
            handshake = answer.status
        async with http.post(f"{world.url}/uploads", headers=headers) as answer:
            return handshake, answer.status


ALLOWED = (200, 401)
REFUSED = (400, 403)


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ("https://a.example", "https://a.example"),
        ("HTTPS://A.Example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("capacitor://localhost", "capacitor://localhost"),
        *((wrong, None) for wrong in ("", "null", "x", "file://", "http://", "http://[", "//a")),
        *((f"http://a.example{more}", None) for more in ("/", "/x", "?", "#", ":", ":x", ":65536")),
        *(
            (wrong, None)
            for wrong in ("http://u@a.example", " http://a", "http://a b", "http://a\n")
        ),
        ("http://\u212aelvin.example", None),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(said, origin):
    assert origin_of(said) == origin


@one_database
@PUBLIC
@pytest.mark.parametrize(
    "origin", [OURS, f"{OURS}:443", "https://PARLEY.example", "https://b.example"]
)
async def test_pages_of_the_public_address_and_listed_ones_may_use_the_server(world, origin):
    assert await statuses_of(world, origin) == ALLOWED


@one_database
@PUBLIC
@pytest.mark.parametrize(
    "origin",
    [
        "http://parley.example",
        f"{OURS}:8443",
        "https://www.parley.example",
        "http://b.example",
        "null",
        "",
    ],
)
async def test_another_scheme_host_or_port_is_another_page(world, origin):
    assert await statuses_of(world, origin) == REFUSED
    host = origin.rpartition("/")[2]
    if host:
        assert await statuses_of(world, origin, Host=host) == REFUSED


@one_database
@PUBLIC
async def test_with_a_public_address_loopback_is_refused(world):
    assert await statuses_of(world, world.url) == REFUSED


@one_database
async def test_in_development_loopback_is_allowed_on_the_served_port(world):
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert await statuses_of(world, f"http://{host}:{world.port}") == ALLOWED
        assert await statuses_of(world, f"https://{host}:{world.port}") == REFUSED
        assert await statuses_of(world, f"http://{host}:{world.port - 1}") == REFUSED


@one_database
async def test_a_foreign_host_name_for_loopback_is_refused(world):
    rebound = f"evil.example:{world.port}"
    assert await statuses_of(world, f"http://{rebound}", Host=rebound) == REFUSED


@one_database
async def test_a_refused_origin_is_logged_once_a_minute_with_a_hint(world, logs, monkeypatch):
    for _ in range(5):
        await statuses_of(world, "https://evil.example/" + "x" * 500)
    [line] = [line for line in logs.getvalue().splitlines() if "origin_refused" in line]
    assert "PARLEY_PUBLIC_URL" in line
    assert len(line) < 500
    monkeypatch.setattr("server.origins.LOG_EVERY_S", 0)
    await statuses_of(world, "null")
    assert logs.getvalue().count("origin_refused") > 1


@pytest.mark.parametrize(
    "environ",
    [
        {"PARLEY_PUBLIC_URL": "parley.example"},
        {"PARLEY_PUBLIC_URL": "ftp://parley.example"},
        {"PARLEY_PUBLIC_URL": "https://"},
        {"PARLEY_ORIGINS": "https://a.example/"},
        {"PARLEY_ORIGINS": "https://a.example, null"},
        {"PARLEY_ORIGINS": "*"},
    ],
    ids=str,
)
def test_addresses_that_name_no_origin_stop_the_start(environ):
    with pytest.raises(WrongSetting, match=next(iter(environ))):
        read_settings(environ)
