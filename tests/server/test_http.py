"""The HTTP endpoints: health, metrics, files and the shape of errors."""

import aiohttp
import pytest
from yarl import URL

from handlers.kit.rules import KitRules
from tests.kit import probe as probes
from tests.world import World, one_database, until


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def error_of(answer: aiohttp.ClientResponse) -> str:
    """The code of an error body, which must have only a code and a message."""
    assert answer.content_type == "application/json"
    body = await answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    return str(body["error"]["code"])


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live"])
async def test_a_serving_instance_is_healthy(world, http, path):
    answer = await http.get(world.url + path)
    assert answer.status == 200
    assert (await answer.json())["status"] == ("live" if path.endswith("live") else "ready")


async def test_metrics_are_in_prometheus_text_and_show_current_values(world, http):
    ana = await world.person("ana")
    await ana.call("/profile", "me")
    answer = await http.get(world.url + "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    metrics = await world.metrics()
    assert metrics["parley_connections"] == 1
    assert metrics["parley_sockets"] == 1
    assert metrics['parley_commands_total{code="OK",command="me",namespace="/profile"}'] == 1
    assert metrics['parley_command_seconds_count{namespace="/profile"}'] == 1
    await ana.call("/profile", "update", first_name="Bea")
    assert (await world.metrics())['parley_events_total{name="USER_UPDATED"}'] == 1


@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.5")
async def test_metrics_show_held_resources_and_their_release(world):
    def held(metrics):
        return {name: value for name, value in metrics.items() if name.startswith("parley_held")}

    async def as_before():
        return held(await world.metrics()) == before

    await world.settle()
    before = held(await world.metrics())
    ana = await world.person("ana")
    await ana.enter("/chat")
    during = held(await world.metrics())
    for what in ("streams", "members"):  # an idle connection has no task
        assert during[f'parley_held{{what="{what}"}}'] > before[f'parley_held{{what="{what}"}}']
    await ana.client.close()
    await until(as_before, within_s=world.app.kernel.rules.of(KitRules).presence_grace_s + 5)


async def test_metrics_count_an_event_once_for_several_rooms(world):
    await world.person("ana")  # an event without a room
    metrics = await world.metrics()
    assert metrics.get('parley_events_total{name="USER_CREATED"}') == 1
    await world.transact(probes.move, "somebody", "club", True)  # an event in two rooms
    assert (await world.metrics())['parley_events_total{name="PROBE_MOVED"}'] == 1


@one_database
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "NOT_FOUND"),
        ("GET", "/client/", 404, "NOT_FOUND"),
        ("GET", "/client/none.js", 404, "NOT_FOUND"),
        ("GET", "/client/%2e%2e/%2e%2e/run.py", 404, "NOT_FOUND"),
        ("GET", "/client/..%2f..%2frun.py", 404, "NOT_FOUND"),
        ("GET", "/client//etc/passwd", 404, "NOT_FOUND"),
        ("GET", "/client/%00", 404, "NOT_FOUND"),
        ("GET", "/vendor/package.json", 404, "NOT_FOUND"),
        ("GET", "/vendor/../run.py", 404, "NOT_FOUND"),
        ("POST", "/health", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/metrics", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_an_error_has_its_status_and_one_shape(world, http, method, path, status, code, logs):
    answer = await http.request(method, URL(world.url + path, encoded=True), allow_redirects=False)
    assert answer.status == status
    assert await error_of(answer) == code
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Traceback" not in logs.getvalue()


@one_database
async def test_a_bug_in_a_handler_is_an_error_of_the_same_shape(world, http, monkeypatch, logs):
    async def broken() -> bool:
        raise RuntimeError("canary in the mine")

    monkeypatch.setattr(world.app.database, "ready", broken)
    answer = await http.get(world.url + "/health")
    assert answer.status == 500
    assert await error_of(answer) == "INTERNAL"
    assert "canary" not in logs.getvalue()


@one_database
async def test_the_page_has_a_content_security_policy(world, http):
    answer = await http.get(world.url + "/")
    assert answer.status == 200
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'self' 'sha256-")
    assert "unsafe" not in str(policy)
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert policy["img-src"] == "'self'"
    assert "https:" not in answer.headers["Content-Security-Policy"]


@one_database
@pytest.mark.parametrize(
    ("path", "is_page"),
    [
        ("/", True),
        ("/docs", True),
        ("/docs/asyncapi.json", False),
        ("/docs/contracts.d.ts", False),
        ("/client/app.js", False),
        ("/client/icon.svg", False),
        ("/vendor/preact/dist/preact.mjs", False),
        ("/health", False),
        ("/metrics", False),
        ("/nothing/here", False),
        ("/files/kept/x", False),
        ("/pictures/x", False),
        ("/uploads/x", False),
        ("/oauth/none/callback", False),
        ("/socket.io/?EIO=4&transport=polling", False),
        ("/socket.io/", False),
    ],
)
async def test_answers_cannot_be_framed_and_non_pages_run_nothing(world, http, path, is_page):
    async with http.get(world.url + path, allow_redirects=False) as answer:
        await answer.read()
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.content_type == "text/html") is is_page
    if is_page:
        assert "base-uri 'none'" in policy
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    else:
        assert not [part for part in policy if "'self'" in part]


async def test_a_cached_file_is_not_sent_again(world: World):
    address = f"{world.url}/client/app.js"
    async with aiohttp.ClientSession() as http:
        async with http.get(address) as answer:
            etag = answer.headers["ETag"]
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        async with http.get(address, headers={"If-None-Match": etag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with http.get(address, headers={"If-None-Match": '"other"'}) as answer:
            assert answer.status == 200
