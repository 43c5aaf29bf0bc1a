"""HEAD gives the headers of a file without its content, wherever GET gives the file."""

from typing import Any

import pytest

from tests.platform.uploads.uploading import PDF, Uploader, picture
from tests.world import World, with_server

pytestmark = with_server
CHANGES = ("date", "location")
"""Headers that differ between two answers to the same request."""
OF_CONTENT = ("content-length", "content-type", "transfer-encoding")
"""Headers that say nothing about an answer without content."""


async def both(who: Uploader, url: str, **headers: str) -> tuple[dict[str, Any], int]:
    """The answer to HEAD, compared with that to GET, and the number of bytes that GET gives."""
    seen: dict[str, dict[str, Any]] = {}
    for method in ("GET", "HEAD"):
        async with who.http.request(method, url, headers=headers, allow_redirects=False) as answer:
            content = await answer.read()
            seen[method] = {name.lower(): value for name, value in answer.headers.items()}
            seen[method]["status"] = answer.status
        if method == "GET":
            size, ignored = len(content), CHANGES if content else (*CHANGES, *OF_CONTENT)
        else:
            assert content == b""
        for name in ignored:
            seen[method].pop(name, None)
    assert seen["HEAD"] == seen["GET"]
    return seen["HEAD"], size


async def test_a_file_and_its_thumbnail_answer_head_as_they_answer_get(ana):
    paper = await ana.upload(PDF, "application/pdf")
    image = await ana.upload(picture(), "image/jpeg")
    for url in (paper["url"], image["url"], image["thumbnail_url"]):
        head, size = await both(ana, url)
        assert (head["status"], head["content-length"]) == (200, str(size))
        unchanged = {"If-None-Match": head["etag"]}
        assert (await both(ana, url, **unchanged))[0]["status"] == 304
        head, size = await both(ana, url, Range="bytes=5-14")
        assert (head["status"], size, head["content-length"]) == (206, 10, "10")
        assert (await both(ana, url, Range="bytes=99999999-"))[0]["status"] == 416
        assert (await both(ana, f"{url}0"))[0]["status"] == 404


async def test_head_needs_a_signature_for_reading(ana):
    begun = await ana.start(PDF, "application/pdf")
    assert await ana.put(begun["put"], PDF) == 200
    assert (await both(ana, begun["put"]["url"]))[0]["status"] == 404


async def test_public_pictures_and_feeds_answer_head(world: World, ana: Uploader):
    image = await ana.upload(picture(), "image/jpeg")
    await ana.person.call("/profile", "set_picture", upload_id=image["id"])
    for query in ("", "?small"):
        head, _ = await both(ana, f"{world.url}/pictures/{image['id']}{query}")
        assert head["status"] == 302
    assert (await both(ana, f"{world.url}/pictures/{ana.person.id}"))[0]["status"] == 404
    feed = (await ana.person.call("/calendar", "get"))["feed_url"]
    assert (await both(ana, feed))[0]["status"] == 200


@pytest.mark.parametrize("path", ["/oauth/google/callback?state=x", "/uploads/x"])
async def test_head_runs_nothing_that_could_change_something(world: World, ana: Uploader, path):
    async with ana.http.head(f"{world.url}{path}") as answer:
        assert answer.status == 405
