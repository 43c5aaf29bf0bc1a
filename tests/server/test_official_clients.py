"""The official clients get an answer to everything they send, on every transport."""

import json
from typing import Any

import pytest

from rooms.names import user
from server.engine import READ_MAX
from server.posts import FRAME_MAX, POSTED_MAX
from tests.kit.probe import NAMESPACE, Say, say_it
from tests.server.official import Told, javascript, python
from tests.world import Person, World, one_database

pytestmark = one_database
TRANSPORTS = {
    "polling": {"transports": ["polling"]},
    "websocket": {"transports": ["websocket"]},
    "upgrade": {"transports": ["polling", "websocket"], "upgraded": True},
}
each_transport = pytest.mark.parametrize("over", TRANSPORTS.values(), ids=list(TRANSPORTS))
each_client = pytest.mark.parametrize("run", [javascript, python])
MANY = 60
TOO_LARGE = "x" * FRAME_MAX


async def sent_by(run: Any, world: World, ana: Person, texts: list[str], **ask: Any) -> Told:
    """What a client is told that echoes `texts` at once."""
    commands = [("echo", {"text": text}) for text in texts]
    auth = {"token": ana.token}
    told: Told = await run(world, namespace=NAMESPACE, auth=auth, commands=commands, **ask)
    return told


@each_client
@each_transport
async def test_commands_sent_at_once_are_all_answered(world, ana, run, over):
    texts = [str(number) for number in range(MANY)]
    told = await sent_by(run, world, ana, texts, **over)
    assert [answer["data"]["text"] for answer in told["answers"]] == texts
    assert (told["connected"], told["reason"]) == (1, None)


@each_client
@each_transport
async def test_large_commands_sent_at_once_are_all_answered(world, ana, run, over):
    texts = ["😀" * 3_000] * 12
    told = await sent_by(run, world, ana, texts, **over)
    assert [answer["data"]["text"] for answer in told["answers"]] == texts
    assert (told["connected"], told["reason"]) == (1, None)


@each_client
@each_transport
async def test_binary_payloads_are_refused_and_the_client_stays_connected(world, ana, run, over):
    told = await sent_by(run, world, ana, ["x"] * 10, binary=True, **over)
    assert [answer["error"]["code"] for answer in told["answers"]] == ["INVALID"] * 10
    expected = {answer["error"]["details"]["expected"] for answer in told["answers"]}
    assert expected == {"JSON without binary data"}
    assert (told["connected"], told["reason"]) == (1, None)


@each_client
@each_transport
async def test_a_command_that_is_too_large_is_refused_and_the_client_stays_connected(
    world, ana, run, over
):
    told = await sent_by(run, world, ana, ["before", TOO_LARGE, "after"], **over)
    before, refused, after = told["answers"]
    assert (before["data"]["text"], after["data"]["text"]) == ("before", "after")
    assert refused["error"]["code"] == "INVALID"
    assert refused["error"]["details"] == {
        "path": "$",
        "expected": f"a packet of at most {FRAME_MAX} bytes",
    }
    assert (told["connected"], told["reason"]) == (1, None)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@each_client
@pytest.mark.parametrize(("transport", "size"), [("polling", POSTED_MAX), ("websocket", READ_MAX)])
async def test_a_client_that_sends_what_is_not_read_is_told_once_and_does_not_return(
    world, ana, run, transport, size
):
    told = await sent_by(run, world, ana, ["x" * size], transports=[transport])
    assert told["answers"] == []
    assert told["reason"] in ("io server disconnect", "server disconnect")
    assert (told["connected"], told["active"]) == (1, False)


async def test_a_socket_that_connects_twice_works(world, ana):
    told = await sent_by(javascript, world, ana, ["hello"], transports=["websocket"], connects=2)
    assert [answer["data"]["text"] for answer in told["answers"]] == ["hello"]


@pytest.mark.parametrize("auth", ["a token", [1], True])
async def test_an_auth_that_is_not_an_object_is_refused_with_a_code(world, auth):
    told = await javascript(
        world, namespace=NAMESPACE, auth=auth, commands=[], transports=["websocket"]
    )
    assert told["reason"]["code"] == "INVALID"


async def test_a_namespace_with_a_long_name_is_refused_with_a_code(world, ana):
    told = await javascript(
        world, namespace="/" + "n" * 200, auth={}, commands=[], transports=["websocket"]
    )
    assert told["reason"]["code"] == "UNKNOWN_NAMESPACE"


async def test_a_connect_that_is_too_large_is_refused_with_a_code(world, ana):
    auth = {"token": ana.token, "since": {"x" * FRAME_MAX: 1}}
    for transport in ("polling", "websocket"):
        told = await javascript(
            world, namespace=NAMESPACE, auth=auth, commands=[], transports=[transport]
        )
        assert told["reason"]["code"] == "INVALID"


@pytest.mark.parametrize("form", ["map", "map by namespace", "text", "text by namespace"])
async def test_every_form_of_since_brings_the_missed_events(world, ana, form):
    await ana.enter(NAMESPACE)
    room = user(ana.id)
    await world.transact(say_it, Say(text="missed", room=room))
    since: Any = {room: 0}
    if "namespace" in form:
        since = {"/profile": {room: 7}, NAMESPACE: since}
    if "text" in form:
        since = json.dumps(since)
    device = await ana.device()
    await device.enter(NAMESPACE, token=ana.token, since=since)
    assert [one.data["text"] for one in device.events("PROBE_SAID")] == ["missed"]
    assert device.synced[NAMESPACE]["rooms"][room]["recovered"]
