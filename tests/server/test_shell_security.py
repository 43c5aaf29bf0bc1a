"""The server refuses foreign origins, silent clients, malformed packets and excessive use."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from handlers import SYSTEMS
from handlers.kit.errors import Forbidden
from handlers.kit.kernel import Actor
from handlers.kit.networks import network_of
from handlers.kit.registry import load_domains
from server.dispatch import authorise
from server.engine import READ_MAX
from server.posts import FRAME_MAX, POSTED_MAX
from server.wire import TOO_LARGE
from tests.kit.probe import NAMESPACE
from tests.kit.wire import Poller, Raw
from tests.wire_client import Client, Refused
from tests.world import World, one_database, until

pytestmark = one_database
ROLES = tuple(load_domains(SYSTEMS).roles)


async def is_closed(client: Client, within_s: float = 1.0) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await client.closed.wait()
    except TimeoutError:
        return False
    return True


async def status_of(world: World, transport: str = "websocket", **headers: str) -> int:
    """The HTTP status of a handshake with these headers."""
    address = f"{world.url}/socket.io/?EIO=4&transport={transport}"
    async with aiohttp.ClientSession() as http:
        if transport == "polling":
            async with http.get(address, headers=headers) as answer:
                return answer.status
        try:
            async with http.ws_connect(address, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


# 1, 2: handshakes.


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1",
        "file://",
        "http://[",
        "x",
    ],
)
async def test_an_origin_that_is_not_listed_is_refused_at_the_handshake(
    world, origin, transport, logs
):
    assert await status_of(world, transport, Origin=origin) == 400
    assert "Traceback" not in logs.getvalue()


@pytest.mark.settings(PARLEY_ORIGINS="https://app.example, https://other.example")
async def test_our_origin_a_listed_origin_and_no_origin_may_connect(world):
    for headers in (
        {"Origin": world.url},
        {"Origin": "https://app.example"},
        {"Origin": "https://other.example"},
        {},
    ):
        assert await status_of(world, **headers) == 101
    assert await status_of(world, Origin="https://evil.example") == 400


async def test_a_token_counts_only_in_auth(world, ana):
    async with aiohttp.ClientSession(cookies={"token": ana.token}) as http:
        address = f"{world.url}/socket.io/?EIO=4&transport=websocket&token={ana.token}"
        headers = {"Authorization": f"Bearer {ana.token}"}
        async with http.ws_connect(address, headers=headers) as websocket:
            await websocket.receive_str()
            await websocket.send_str("40/profile,{}")
            answer = await websocket.receive_str()
            await websocket.send_str(f"40/profile?token={ana.token},{{}}")
            again = await websocket.receive_str()
    for told in (answer, again):
        assert told.startswith("44/profile,")
        assert json.loads(told.partition(",")[2])["data"] == {"code": "TOKEN_MISSING"}


# 3: silent clients.


async def test_a_connection_without_a_namespace_is_closed_after_ten_seconds(world, monkeypatch):
    from server.socket import CONNECT_WITHIN_S

    assert CONNECT_WITHIN_S == 10
    monkeypatch.setattr("server.socket.CONNECT_WITHIN_S", 0.1)
    silent, refused, greeted = [await world.connect() for _ in range(3)]
    poller = await Poller(world).open()
    with pytest.raises(Refused):
        await refused.enter("/profile")
    await greeted.enter("/auth")
    assert await is_closed(silent)
    assert await is_closed(refused), "a refusal is no valid CONNECT"
    await until(lambda: len(world.app.sockets.connections) == 1)
    await poller.poll()
    assert await poller.poll() == 400
    assert not greeted.closed.is_set()


# 4: forged events.


@pytest.mark.parametrize("name", ["connect", "disconnect"])
async def test_a_forged_event_runs_no_handler(world, ana, name, switches):
    await ana.enter(NAMESPACE)
    await ana.call(NAMESPACE, "hold_lease", text="something")
    for payload in ({}, "client namespace disconnect"):
        answer = await ana.client.ask(NAMESPACE, name, payload)
        assert answer["error"]["code"] == "UNKNOWN_COMMAND"
    assert (await world.metrics())["parley_sockets"] == 1
    assert switches.departed == []
    assert await ana.call(NAMESPACE, "say", text="still here")
    await ana.event("PROBE_SAID")


# 5, 9: every command, every role.


def commands_of(world: World):
    return world.app.registry.commands.values()


async def test_every_command_is_open_to_exactly_its_roles(world):
    for command in commands_of(world):
        for role in (None, *ROLES):
            actor = Actor("u", "s", frozenset({role})) if role else None
            allowed = command.visitors if role is None else role in (command.roles or ROLES)
            try:
                authorise(command, actor)
            except Forbidden:
                assert not allowed, f"{command.namespace} {command.name}: {role}"
            else:
                assert allowed, f"{command.namespace} {command.name}: {role}"


async def test_the_commands_for_visitors_are_listed_here(world):
    """A command that is opened to visitors by mistake must fail a test."""
    known = {
        "/signup start", "/signup complete", "/auth login", "/auth refresh", "/auth logout",
        "/auth forgot", "/auth reset", "/auth providers", "/auth oauth",
        "/consultants get", "/consultants watch", "/consultants unwatch", "/consultants list",
        "/availability list_blocks", "/availability check", "/availability watch",
        "/availability unwatch", "/availability get_terms", "/probe echo",
    }  # fmt: skip
    opened = {f"{one.namespace} {one.name}" for one in commands_of(world) if one.visitors}
    assert opened <= known


async def test_every_command_refuses_an_unknown_field(world):
    everything = await world.person("root", *ROLES[1:])
    for command in commands_of(world):
        answer = await ask(everything, command.namespace, command.name, {"role": "admin"})
        assert answer["ok"] is False, f"{command.namespace} {command.name}"
        assert answer["error"]["code"] == "INVALID", f"{command.namespace} {command.name}"


async def ask(person, namespace: str, name: str, payload: dict):
    if namespace not in person.client.synced:
        await person.enter(namespace)
    return await person.client.ask(namespace, name, payload)


@pytest.mark.parametrize("field", ["roles", "email", "email_verified", "id", "created_at"])
async def test_a_client_cannot_set_fields_of_the_server(ana, field):
    answer = await ask(ana, "/profile", "update", {"first_name": "Eve", field: ["admin"]})
    assert answer["error"]["details"]["expected"].endswith(f"unknown field `{field}`")
    assert (await ana.call("/profile", "me"))["first_name"] == "Ana"


# 10: frames and packets.


async def test_a_frame_that_is_not_read_disconnects_the_client_so_that_it_does_not_return(
    world, logs, ana
):
    await ana.enter(NAMESPACE)
    await ana.client.ws.send_str(f'42{NAMESPACE},1["echo",{{"text":"{"x" * READ_MAX}"}}]')
    assert await is_closed(ana.client)
    assert ana.client.frames[-1] == f"41{NAMESPACE},"
    assert ana.client.ws.close_code == 1009
    assert "Traceback" not in logs.getvalue()


async def test_a_frame_up_to_its_limit_is_accepted_and_one_above_is_answered(world, ana):
    await ana.enter(NAMESPACE)
    head, tail = f'42{NAMESPACE},1["echo",', '{"text":"hello"}]'
    for size, ok in ((FRAME_MAX, True), (FRAME_MAX + 1, False)):
        frame = head + " " * (size - len(head + tail)) + tail
        answer = ana.client._acks[NAMESPACE, 1] = asyncio.get_running_loop().create_future()
        await ana.client.ws.send_str(frame)
        async with asyncio.timeout(2):
            assert (await answer)["ok"] is ok
    assert answer.result()["error"]["code"] == "INVALID"
    assert answer.result()["error"]["details"] == {"path": "$", "expected": TOO_LARGE}


async def test_a_frame_over_its_limit_in_many_parts_closes_the_connection(world, logs):
    raw = await Raw(world).open()
    raw.say("42" + "x" * (READ_MAX // 2), final=False)
    raw.say("x" * (READ_MAX // 2), opcode=0, final=False)
    async with asyncio.timeout(2):
        while await raw.reader.read(1_024):
            pass
    assert "Traceback" not in logs.getvalue()


MALFORMED = [
    "4",
    "42",
    "42/probe,",
    "42/probe,1",
    '42/probe,{"a":1}',
    "42/probe,[]",
    "42/probe,[1,2]",
    '42/probe,["say",{]',
    '42/probe,1["say",{"text":01}]',
    "42/probe," + "9" * 30 + '["say",{}]',
    '42/probe,1["' + "n" * 65 + '",{}]',
    '42/elsewhere,1["say",{}]',
    "45/probe,1-[{}]",
    "46/probe,1-[{}]",
    "44/probe,{}",
    "49/probe,",
    "4x",
    '40/probe,{"token"',
]


@pytest.mark.parametrize("frame", MALFORMED)
async def test_a_malformed_packet_is_a_strike_and_the_third_closes(world, ana, frame, logs):
    await ana.enter(NAMESPACE)
    for _ in range(2):
        await ana.client.ws.send_str(frame)
    assert await ana.call(NAMESPACE, "echo", text="two are forgiven")
    await ana.client.ws.send_str(frame)
    assert await is_closed(ana.client)
    assert "Traceback" not in logs.getvalue()


@pytest.mark.parametrize("frame", ["", "0", "7", "x", "b0000", "9" * 1_000])
async def test_a_frame_that_is_not_an_engine_packet_is_a_strike_and_the_third_closes(
    world, ana, frame, logs
):
    await ana.enter(NAMESPACE)
    for _ in range(2):
        await ana.client.ws.send_str(frame)
    assert await ana.call(NAMESPACE, "echo", text="two are forgiven")
    await ana.client.ws.send_str(frame)
    assert await is_closed(ana.client)
    assert "Traceback" not in logs.getvalue()


async def test_binary_frames_are_strikes(world, ana, logs):
    await ana.enter(NAMESPACE)
    for _ in range(3):
        await ana.client.ws.send_bytes(b"\x00\xff\xfe")
    assert await is_closed(ana.client)
    assert "Traceback" not in logs.getvalue()


async def test_polled_binary_and_broken_packets_are_strikes(world, ana, logs):
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token)
    for text in ("bAAAA", "b%%%", "42/probe,["):
        await poller.post(text)
    await until(lambda: not [one for one in world.app.sockets.connections if one.sockets])
    assert "Traceback" not in logs.getvalue()


@pytest.mark.parametrize("body", [b"\xff\xfe", b"4x\x1e" * 40, b""], ids=["bytes", "40", "none"])
async def test_a_malformed_post_is_refused_without_a_traceback(world, ana, body, logs):
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token)
    await poller.post(body)
    assert "Traceback" not in logs.getvalue()
    assert await ana.call(NAMESPACE, "echo", text="others go on")


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_post_over_its_limit_is_refused_and_leaves_nothing_behind(world, ana, logs):
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token)
    assert await poller.post("4" + "x" * POSTED_MAX) == 413
    await poller.close()
    await until(lambda: not requests_under_way())
    assert "Traceback" not in logs.getvalue()


def requests_under_way() -> list[asyncio.Task]:
    """The requests in progress, except the WebSocket of the test's own user."""
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
    serving = [name for name in names if name == "RequestHandler.start"]
    return serving[1:]


async def test_a_connection_with_too_many_namespaces_stays_open(world, ana):
    for number in range(30):
        with pytest.raises(Refused) as refused:
            await ana.client.enter(f"/nowhere-{number}", token=ana.token)
        assert refused.value.code == "UNKNOWN_NAMESPACE"
    (connection,) = world.app.sockets.connections
    assert not [name for name in connection.sockets if name.startswith("/nowhere")]
    assert await ana.call(NAMESPACE, "echo", text="still in")


# 11: rates.


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_CONNECTIONS_PER_S="5")
async def test_an_address_has_a_rate_of_connections(world):
    for _ in range(5):
        await world.visitor("/auth")
    assert await status_of(world) == 429
    assert await status_of(world, "polling") == 429


async def try_to_log_in(client: Client) -> str:
    answer = await client.ask("/auth", "login", {"email": "no@example.org", "password": "x"})
    return answer["error"]["code"]


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="3")
async def test_an_address_has_one_rate_of_attempts_over_all_connections(world):
    codes = [await try_to_log_in(await world.visitor("/auth")) for _ in range(4)]
    assert codes == ["CREDENTIALS_WRONG"] * 3 + ["RATE_LIMITED"]
    visitor = await world.visitor("/signup")
    answer = await visitor.ask("/signup", "start", {"email": "no@example.org"})
    assert answer["error"]["code"] == "RATE_LIMITED"
    assert 0 < answer["error"]["retry_after_s"] <= 20


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="1")
async def test_a_forwarded_address_counts_only_from_trusted_proxies(world):
    for number, expected in enumerate(["CREDENTIALS_WRONG", "RATE_LIMITED"]):
        client = await world.connect(**{"X-Forwarded-For": f"10.0.0.{number}"})
        assert await try_to_log_in(await client.enter("/auth")) == expected


@pytest.mark.settings(
    PARLEY_LIMITS="default",
    PARLEY_ATTEMPTS_PER_MINUTE="1",
    PARLEY_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
)
@pytest.mark.parametrize(
    ("forwarded", "again"),
    [
        (("203.0.113.1", "203.0.113.2"), "CREDENTIALS_WRONG"),
        (("203.0.113.1", "203.0.113.1"), "RATE_LIMITED"),
        (("1.1.1.1, 203.0.113.1", "2.2.2.2, 203.0.113.1"), "RATE_LIMITED"),
        (("203.0.113.1, 10.1.1.1", "203.0.113.2, 10.1.1.1"), "CREDENTIALS_WRONG"),
    ],
    ids=["two", "the same", "a made-up hop before it", "a proxy of ours after it"],
)
async def test_behind_our_proxies_the_address_is_the_last_that_is_not_ours(world, forwarded, again):
    codes = []
    for header in forwarded:
        client = await world.connect(**{"X-Forwarded-For": header})
        codes.append(await try_to_log_in(await client.enter("/auth")))
    assert codes == ["CREDENTIALS_WRONG", again]


@pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1")
async def test_only_the_header_line_of_the_proxy_counts(world):
    lines = CIMultiDict([("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")])
    request = make_mocked_request("GET", "/", headers=lines).clone(remote="127.0.0.1")
    assert world.settings.address_of(request) == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("nonsense", "unknown"),
    ],
)
async def test_all_addresses_of_one_subscriber_count_together(world, address, counted_as):
    assert network_of(address) == counted_as


# 12: numbers of connections.


@pytest.mark.settings(PARLEY_SOCKETS_PER_PERSON="3")
async def test_a_user_has_a_maximum_number_of_connections(world, ana):
    devices = [ana.client, *[await ana.device() for _ in range(3)]]
    for device in devices[:3]:
        await device.enter("/profile", token=ana.token)
    with pytest.raises(Refused) as refused:
        await devices[3].enter("/profile")
    assert refused.value.code == "RATE_LIMITED"
    assert refused.value.error["retry_after_s"] > 0
    await devices[0].close()
    await until(lambda: world.app.gate.people.count(ana.id) == 2)
    await devices[3].enter("/profile")


@pytest.mark.settings(PARLEY_SOCKETS_PER_PERSON="3")
async def test_connections_made_at_once_do_not_get_past_the_cap(world, ana):
    devices = [await ana.device() for _ in range(8)]
    entered = await asyncio.gather(
        *(device.enter("/profile") for device in devices), return_exceptions=True
    )
    assert len([one for one in entered if isinstance(one, Client)]) == 3
