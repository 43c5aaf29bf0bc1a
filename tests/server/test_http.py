"""The few REST endpoints: health, metrics, files, and errors of one shape."""

import asyncio

import aiohttp
import pytest

from tests.world import World, one_database, until


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def error_of(answer: aiohttp.ClientResponse) -> str:
    """The code of an error body, which says a code and a message and nothing else."""
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


@pytest.fixture
def away(world, database_url, request):
    """`await away(True)` takes the world's database away, `await away(False)` brings it back."""

    async def sqlite(gone: bool) -> None:
        await (world.app.database.stop() if gone else world.app.database.start())

    async def postgresql(gone: bool) -> None:
        template = request.getfixturevalue("postgres_template")
        await (template.drop(database_url) if gone else template.make_again(database_url))

    return postgresql if world.app.database.shared else sqlite


async def test_an_instance_whose_database_is_away_lives_but_is_not_ready(world, http, away):
    await away(True)
    for path in ("/health", "/health/ready"):
        answer = await http.get(world.url + path)
        assert answer.status == 503
        assert await error_of(answer) == "UNAVAILABLE"
    assert (await http.get(world.url + "/health/live")).status == 200
    await away(False)
    await until(lambda: is_healthy(world, http), within_s=2)


async def is_healthy(world: World, http: aiohttp.ClientSession) -> bool:
    async with http.get(world.url + "/health") as answer:
        return answer.status == 200


async def test_a_command_while_the_database_is_away_is_told_to_come_back(world, away):
    ana = await world.person("ana")
    await ana.enter("/profile")
    await away(True)
    for command in ("me", "update"):
        answer = await ana.client.ask("/profile", command, {})
        assert answer["error"]["code"] == "UNAVAILABLE"
        assert answer["error"]["retry_after_s"] > 0
    await away(False)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_process_whose_database_is_away_stops_when_it_is_told_to(
    process, postgres_template, database_url
):
    await postgres_template.drop(database_url)
    assert await asyncio.to_thread(process.stop) == 0
    assert "Traceback" not in process.log


async def test_metrics_are_in_prometheus_text_and_count_what_is(world, http):
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
    from yarl import URL

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
async def test_the_page_says_what_it_may_do(world, http):
    answer = await http.get(world.url + "/")
    assert answer.status == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"].startswith("'self' 'sha256-")
    assert "unsafe" not in str(policy)
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_a_signal_stops_a_process_in_order_and_it_starts_again(process):
    ana = await process.sign_up("ana")
    await ana.enter("/profile")
    assert await asyncio.to_thread(process.stop) == 0
    async with asyncio.timeout(2):
        await ana.client.closed.wait()
    assert "Traceback" not in process.log
    await process.start()
    assert (await ana.device()) is not None
    back = await ana.device()
    await back.enter("/profile")
    assert (await back.call("/profile", "me"))["id"] == ana.id


async def test_what_was_acknowledged_is_there_after_a_kill(process):
    ana = await process.sign_up("ana")
    await ana.enter("/profile")
    for number in range(20):
        await ana.call("/profile", "update", first_name=f"Ana {number}")
        if number == 19:
            process.kill()
    await process.start()
    back = await ana.device()
    await back.enter("/profile")
    assert (await back.call("/profile", "me"))["first_name"] == "Ana 19"
