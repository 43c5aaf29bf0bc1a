"""A library that lacks a required part stops the server at its import, with a clear error."""

import importlib.util
import re
import sys
import types
from importlib import metadata

import pytest

from server import aiohttp_internals, engineio_internals
from server.library_check import LibraryChanged, Part, check_library, find, has, takes
from tests.world import ROOT

INTERNALS = (aiohttp_internals, engineio_internals)
FAKE = "a_fake_library"
BOUND = re.compile(r"^([\w-]+)<(\d+)\.(\d+)$", re.MULTILINE)


@pytest.fixture
def fake(monkeypatch) -> types.ModuleType:
    """A library with one class that has one method."""
    module = types.ModuleType(FAKE)

    class Reader:
        def feed(self, data, size): ...

    module.Reader = Reader
    monkeypatch.setitem(sys.modules, FAKE, module)
    monkeypatch.setattr(metadata, "version", lambda name: "9.1")
    return module


class TestCheck:
    def test_a_library_that_has_everything_passes(self, fake):
        parts = (
            has(f"{FAKE}:Reader"),
            takes(f"{FAKE}:Reader.feed", "self", "data", "size"),
            Part("one is one", lambda: True),
        )
        check_library("a-fake-library", "9.0", *parts)

    @pytest.mark.parametrize(
        "part",
        [
            has(f"{FAKE}:Writer"),
            has(f"{FAKE}:Reader.pause"),
            has(f"{FAKE}.inner:Reader"),
            takes(f"{FAKE}:Reader.feed", "self", "data"),
            takes(f"{FAKE}:Reader.pause", "self"),
            Part("one is two", lambda: False),
            Part("nothing is divided", lambda: bool(1 // 0)),
        ],
        ids=lambda part: part.what,
    )
    def test_the_error_names_the_missing_part_the_library_and_its_versions(self, fake, part):
        with pytest.raises(LibraryChanged) as raised:
            check_library("a-fake-library", "9.0", has(f"{FAKE}:Reader"), part)
        said = str(raised.value)
        assert "a-fake-library 9.1" in said
        assert "9.0" in said
        assert part.what in said
        assert f"{FAKE}:Reader;" not in said

    def test_all_missing_parts_are_reported_together(self, fake):
        with pytest.raises(LibraryChanged, match=r"Writer.*Pauser"):
            check_library("a-fake-library", "9.0", has(f"{FAKE}:Writer"), has(f"{FAKE}:Pauser"))


def import_again(module: types.ModuleType) -> None:
    """Run a module like its first import, and drop it."""
    spec = importlib.util.spec_from_file_location("imported_again", module.__file__)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def take_away(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete the last name of `module:Class.attribute`, or the whole class if it is compiled."""
    module, _, names = path.partition("(")[0].partition(":")
    whole, _, name = names.rpartition(".")
    owner = find(f"{module}:{whole}") if whole else sys.modules[module]
    owners = [one for one in owner.__mro__ if name in vars(one)] if whole else [owner]
    try:
        for one in owners:
            monkeypatch.delattr(one, name)
    except TypeError:
        monkeypatch.delattr(sys.modules[module], whole)


NAMED = [
    pytest.param(module, part, id=part.what)
    for module in INTERNALS
    for part in module.RELIED_ON
    if ":" in part.what
]


class TestInternals:
    @pytest.mark.parametrize("module", INTERNALS)
    def test_the_installed_libraries_pass(self, module):
        import_again(module)

    @pytest.mark.parametrize(("module", "part"), NAMED)
    def test_each_missing_part_is_detected(self, module, part, monkeypatch):
        take_away(part.what, monkeypatch)
        with pytest.raises(LibraryChanged, match=re.escape(module.LIBRARY)) as raised:
            import_again(module)
        assert part.what in str(raised.value)

    def test_a_server_without_its_request_handler_is_detected(self, monkeypatch):
        from aiohttp import web

        monkeypatch.setattr(web.Server, "__init__", lambda self, handler, loop: None)
        with pytest.raises(LibraryChanged, match="request_handler"):
            import_again(aiohttp_internals)

    def test_a_reader_that_does_not_fill_its_queue_is_detected(self, monkeypatch):
        class Deaf:
            def __init__(self, *args, **options): ...

            def feed_data(self, data): ...

        monkeypatch.setattr("aiohttp.http.WebSocketReader", Deaf)
        with pytest.raises(LibraryChanged, match=r"whole messages.*malformed"):
            import_again(aiohttp_internals)

    def test_a_renamed_driver_table_is_detected(self, monkeypatch):
        from engineio.async_drivers import aiohttp as driver

        monkeypatch.delitem(driver._async, "websocket")
        with pytest.raises(LibraryChanged, match="_async"):
            import_again(engineio_internals)

    @pytest.mark.parametrize("name", engineio_internals.SOCKET)
    def test_a_missing_socket_attribute_is_detected(self, name, monkeypatch):
        from engineio.base_socket import BaseSocket

        init = BaseSocket.__init__

        def init_without(self, *args):
            init(self, *args)
            delattr(self, name)

        monkeypatch.setattr(BaseSocket, "__init__", init_without)
        with pytest.raises(LibraryChanged, match="a socket's attributes"):
            import_again(engineio_internals)

    def test_a_ping_started_differently_is_detected(self, monkeypatch):
        from engineio.async_socket import AsyncSocket

        monkeypatch.setattr(AsyncSocket, "schedule_ping", lambda self: None)
        with pytest.raises(LibraryChanged, match="PING"):
            import_again(engineio_internals)

    def test_changed_packet_types_are_detected(self, monkeypatch):
        monkeypatch.setattr("engineio.packet.NOOP", 7)
        with pytest.raises(LibraryChanged, match="kinds of packets"):
            import_again(engineio_internals)


@pytest.mark.parametrize("module", INTERNALS)
def test_the_next_minor_release_is_the_upper_bound(module):
    bounds = {name: (int(major), int(minor)) for name, major, minor in requirements()}
    major, minor = map(int, module.LOOKED_AT.split(".")[:2])
    assert bounds[module.LIBRARY] == (major, minor + 1)


def requirements() -> list[tuple[str, str, str]]:
    return BOUND.findall((ROOT / "requirements.in").read_text())
