"""Browsers cache the page's files, and request new ones after any change."""

import re

import aiohttp
import pytest

from server import page_files
from tests.world import one_database

VERSIONED = re.compile(r'(?:src|href)="(/client/[0-9a-f]{16}/[^"]+)"')


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def text_and_caching(http, url):
    async with http.get(url) as answer:
        assert answer.status == 200, url
        return await answer.text(), answer.headers["Cache-Control"]


@one_database
async def test_the_page_asks_for_files_that_browsers_may_keep(world, http):
    page, caching = await text_and_caching(http, world.url)
    assert caching == "no-cache"
    assert '"/client/app.js"' not in page
    paths = VERSIONED.findall(page)
    assert len(paths) == 3
    for path in paths:
        assert (await text_and_caching(http, world.url + path))[1] == page_files.KEPT


@one_database
@pytest.mark.parametrize("path", ["app.js", f"{'0' * 16}/app.js"])
async def test_a_file_without_the_current_version_is_not_cached(world, http, path):
    now, _ = await text_and_caching(http, f"{world.url}/client/{page_files.version()}/app.js")
    assert await text_and_caching(http, f"{world.url}/client/{path}") == (now, "no-cache")


@one_database
@pytest.mark.parametrize("path", ["../run.py", "..%2f..%2frun.py", "%2e%2e/%2e%2e/run.py", "none"])
async def test_a_version_prefix_gives_access_to_no_other_files(world, http, path):
    async with http.get(f"{world.url}/client/{page_files.version()}/{path}") as answer:
        assert answer.status == 404


def test_a_changed_file_changes_the_version(tmp_path, monkeypatch):
    monkeypatch.setattr(page_files, "CLIENT", tmp_path)
    monkeypatch.setattr(page_files, "LOOKS_EVERY_S", 1e-9)
    versions = []
    for name, content in (("a.js", "1"), ("a.js", "2"), ("b.js", ""), ("b.js", "")):
        (tmp_path / name).write_text(content)
        versions.append(page_files.version())
    assert len(set(versions)) == 3
    assert versions[2] == versions[3], "written again, and the same"
