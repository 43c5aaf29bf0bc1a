"""Pages of listed origins may use files, whose addresses have the host that the client reached."""

import hashlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.platform.uploads.uploading import uploader
from tests.world import one_database


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


OTHER = "https://app.example"
listed = pytest.mark.settings(PARLEY_ORIGINS=OTHER, PARLEY_PUBLIC_URL="http://localhost:8000")
ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
ROUTES = ["/uploads", "/uploads/x/complete", "/files/incoming/x", "/uploads/x/parts/1"]


@one_database
@listed
@pytest.mark.parametrize("path", ROUTES)
async def test_a_page_of_a_listed_origin_may_use_the_routes_for_files(world, http, path):
    async with http.options(world.url + path, headers={"Origin": OTHER, **ASKED}) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]


@one_database
@listed
async def test_a_page_of_a_listed_origin_uploads_and_fetches_a_file(world, http):
    ana = await world.person("ana")
    about = {"name": "a.txt", "content_type": "text/plain", "size": 5}
    digest = hashlib.sha256(b"hello").hexdigest()
    token = {"Authorization": f"Bearer {ana.token}", "Origin": OTHER}
    async with http.post(
        f"{world.url}/uploads", json={**about, "sha256": digest}, headers=token
    ) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER
        begun = await answer.json()
    path = urlsplit(begun["put"]["url"])._replace(scheme="", netloc="").geturl()
    headers = {**begun["put"]["headers"], "Origin": OTHER}
    async with http.put(world.url + path, data=b"hello", headers=headers) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, OTHER)
    async with http.post(f"{world.url}/uploads/{begun['id']}/complete", headers=token) as answer:
        url = (await answer.json())["url"]
    path = urlsplit(url)._replace(scheme="", netloc="").geturl()
    async with http.get(world.url + path, headers={"Origin": OTHER}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER
        assert await answer.read() == b"hello"


@one_database
@listed
@pytest.mark.parametrize("origin", ["https://app.example.org", "http://app.example", "null"])
async def test_a_page_of_another_origin_may_not(world, http, origin):
    headers = {"Origin": origin, **ASKED}
    async with http.options(f"{world.url}/uploads", headers=headers) as answer:
        assert answer.status == 405
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with http.post(f"{world.url}/uploads", json={}, headers=headers) as answer:
        assert answer.status in (401, 403)
        assert "Access-Control-Allow-Origin" not in answer.headers


@one_database
@listed
async def test_a_path_that_does_not_exist_has_no_preflight(world, http):
    async with http.options(f"{world.url}/nothing", headers={"Origin": OTHER, **ASKED}) as answer:
        assert answer.status == 404


@one_database
@pytest.mark.settings(
    PARLEY_PUBLIC_URL="http://localhost:8000",
    PARLEY_ORIGINS="http://192.168.7.7:8000,https://tls.example",
)
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.168.7.7:8000", "http://192.168.7.7:8000"),
        ("localhost:8000", "http://localhost:8000"),
        ("192.168.7.8:8000", "http://localhost:8000"),
        ("tls.example", "http://localhost:8000"),  # no trusted proxy says that this was HTTPS
        ("evil.example", "http://localhost:8000"),
        ("a b", "http://localhost:8000"),
    ],
)
async def test_addresses_of_files_have_the_host_that_the_client_reached_if_it_is_listed(
    world, http, host, expected
):
    ana = await world.person("ana")
    about = {"name": "a.txt", "content_type": "text/plain", "size": 5, "sha256": "0" * 64}
    headers = {"Authorization": f"Bearer {ana.token}", "Host": host}
    async with http.post(f"{world.url}/uploads", json=about, headers=headers) as answer:
        url = urlsplit((await answer.json())["put"]["url"])
    assert f"{url.scheme}://{url.netloc}" == expected


@pytest.mark.settings(
    PARLEY_PUBLIC_URL="http://localhost:8000",
    PARLEY_ORIGINS="https://tls.example",
    PARLEY_TRUSTED_PROXIES="127.0.0.1",
)
@one_database
async def test_behind_a_trusted_proxy_the_host_can_be_reached_by_https(world, http):
    ana = await world.person("ana")
    about = {"name": "a.txt", "content_type": "text/plain", "size": 5, "sha256": "0" * 64}
    headers = {"Authorization": f"Bearer {ana.token}", "Host": "tls.example"}
    async with http.post(f"{world.url}/uploads", json=about, headers=headers) as answer:
        assert (await answer.json())["put"]["url"].startswith("https://tls.example/files/")


@one_database
@pytest.mark.settings(
    PARLEY_PUBLIC_URL="http://localhost:8000", PARLEY_ORIGINS="http://192.168.7.7:8000"
)
async def test_a_socket_gets_addresses_with_the_host_of_its_handshake(world):
    ana = await world.person("ana")
    async with uploader(world, ana) as http:
        file = await http.start(b"hello", "text/plain")
        path = urlsplit(file["put"]["url"])._replace(scheme="", netloc="").geturl()
        assert await http.put({**file["put"], "url": world.url + path}, b"hello") == 200
        await http.ask("POST", f"/uploads/{file['id']}/complete")
    ben = await world.person("ben")
    chat = (await ana.call("/chat", "open", user_id=ben.id))["id"]
    sent = {"conversation_id": chat, "client_id": "1", "upload_id": file["id"]}
    message = await ana.call("/chat", "send_media", **sent)
    phone = await world.connect(ana.token, Host="192.168.7.7:8000")
    await phone.enter("/chat")
    links = await phone.call("/chat", "media", message_id=message["id"])
    assert links["url"].startswith("http://192.168.7.7:8000/files/")
