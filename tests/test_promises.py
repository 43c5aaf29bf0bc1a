"""The guarantees to clients, under attack: once, in one order, no gaps, after any failure."""

import asyncio
import contextlib
import itertools
from collections import deque
from typing import Any

import pytest
import socketio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from socketio.exceptions import ConnectionError as NotConnected

from tests.platform.chat.scenes import offer, say, talk, texts
from tests.wire_client import Client, Heard
from tests.world import Person, Process, World, both_databases, one_database

pytestmark = both_databases

DAY_S = 86_400
SENDS = 1_000
WINDOW = 40
"""The number of unanswered sends of one socket; its queue allows 100."""


@pytest.fixture
async def people(world) -> list[Person]:
    """A student and a consultant, in /chat."""
    ana = await world.person("ana")
    ben = await world.person("ben", consultant=True)
    return [await one.enter("/chat") for one in (ana, ben)]


def in_room(client: Client, conversation_id: str) -> list[Heard]:
    """The stored events received in a conversation's room, in order of arrival."""
    room = f"chat:{conversation_id}"
    return [one for one in client.heard if one.meta.get("room") == room and "seq" in one.meta]


def numbers(heard: list[Heard]) -> list[int]:
    return [one.meta["seq"] for one in heard]


async def repeat(device: list[Client], namespace: str, command: str, **payload: Any) -> Any:
    """Send a command ten times at once; returns the one answer."""
    asks = [
        one.ask(namespace, command, payload)
        for one in itertools.islice(itertools.cycle(device), 10)
    ]
    answers = await asyncio.gather(*asks)
    assert answers[0]["ok"], answers[0]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]["data"]


# Repetitions change nothing.


async def test_a_command_asked_ten_times_at_once_is_done_once_and_answered_alike(world, people):
    ana, ben = people
    devices = [await (await ana.device()).enter("/chat", "/booking", "/profile") for _ in range(3)]
    shop = await offer(world, ben, max_calls=5)
    group = (
        await repeat(
            devices, "/chat", "create_group", name="G", member_ids=[ben.id], request_id="1"
        )
    )["id"]
    there = {"conversation_id": group}
    cleo = await world.person("cleo")
    sent = await repeat(devices, "/chat", "send", **there, client_id="c", text="t")
    other = await repeat(devices, "/chat", "send", **there, client_id="d", text="t", request_id="1")
    await repeat(devices, "/chat", "edit", message_id=sent["id"], text="e", request_id="1")
    await repeat(devices, "/chat", "delete", message_id=other["id"], request_id="1")
    await repeat(devices, "/chat", "add_member", **there, user_id=cleo.id, request_id="1")
    await repeat(devices, "/chat", "remove_member", **there, user_id=cleo.id, request_id="1")
    await repeat(devices, "/chat", "mark_read", **there, seq=2, request_id="1")
    await repeat(devices, "/booking", "request", **shop.ask(), request_id="1")
    await repeat(devices, "/profile", "update", first_name="Anna", request_id="1")
    for name, count in {
        "CONVERSATION_OPENED": 1,
        "MESSAGE_SENT": 2,
        "MESSAGE_EDITED": 1,
        "MESSAGE_DELETED": 1,
        "MEMBER_ADDED": 1,
        "MEMBER_REMOVED": 1,
        "MESSAGE_READ": 1,
        "BOOKING_REQUESTED": 1,
        "USER_UPDATED": 2,  # the other one: Ben became a consultant
    }.items():
        assert len(await world.stored(name)) == count, name
    head = (await ana.call("/chat", "history", conversation_id=group))["seq"]
    assert head == 8, "and every number was used"


async def test_a_request_id_with_another_payload_is_a_conflict_and_a_refusal_is_not_kept(
    world, people
):
    ana, ben = people
    chat = await talk(ana, ben)
    await ana.call("/profile", "update", first_name="Anna", request_id="1")
    other = await ana.client.ask("/profile", "update", {"first_name": "Ann", "request_id": "1"})
    assert other["error"]["code"] == "CONFLICT"
    assert (await ben.call("/profile", "update", first_name="Benno", request_id="1"))[
        "id"
    ] == ben.id
    early = {"conversation_id": chat, "seq": 2, "request_id": "2"}
    assert (await ana.client.ask("/chat", "mark_read", early))["error"]["code"] == "INVALID"
    await say(ben, chat, "now there is a number 2")
    assert (await ana.client.ask("/chat", "mark_read", early))["ok"]


async def test_an_old_request_id_still_gets_its_answer(world, people):
    ana, ben = people
    chat = await talk(ana, ben)
    sent = await say(ana, chat, "long ago")
    user = await ana.call("/profile", "update", first_name="Anna", request_id="1")
    world.clock.advance(29 * DAY_S)
    await world.app.housekeeping.tidy()
    assert await ana.call("/profile", "update", first_name="Anna", request_id="1") == user
    world.clock.advance(700 * DAY_S)
    await world.app.housekeeping.tidy()
    later = await (await world.another_session(ana)).enter("/chat")
    assert await say(later, chat, "long ago") == sent
    assert await texts(later, chat) == ["long ago"]


# Returning clients miss nothing and get nothing twice.

STEPS = ("send", "send", "send", "edit", "delete", "mark_read", "mark_delivered")
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), max_size=10)


class Talk:
    """A conversation with various kinds of events."""

    def __init__(self, people: list[Person], conversation_id: str) -> None:
        self.people = people
        self.id = conversation_id
        self.sent: list[tuple[Person, str]] = []
        self.deleted: set[str] = set()
        self._texts = itertools.count()

    async def go_on(self, some: list[tuple[str, int]]) -> Any:
        """Carry out the steps `some`; returns the head afterwards."""
        for kind, number in some:
            await self._step(kind, self.people[number % 2], number)
        return (await self.people[0].call("/chat", "history", conversation_id=self.id))["seq"]

    async def _step(self, kind: str, person: Person, number: int) -> None:
        mine = [message_id for who, message_id in self.sent if who is person]
        if kind == "send":
            sent = await say(person, self.id, f"text {next(self._texts)}")
            self.sent.append((person, sent["id"]))
        elif kind.startswith("mark"):
            await person.call("/chat", kind, conversation_id=self.id, seq=len(self.sent) + 1)
        elif mine:
            chosen = mine[number % len(mine)]
            if kind == "edit":
                await person.call("/chat", "edit", message_id=chosen, text=f"edited {number}")
            else:
                await person.call("/chat", "delete", message_id=chosen)
                self.sent.remove((person, chosen))
                self.deleted.add(chosen)


@pytest.fixture
def begin(people):
    """Starts another conversation of the two."""

    async def make() -> Talk:
        made = await people[0].call("/chat", "create_group", name="G", member_ids=[people[1].id])
        return Talk(people, made["id"])

    return make


@pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=steps, meanwhile=steps, stopped=st.floats(0, 1))
async def test_who_returns_hears_what_was_missed_once_and_in_order_wherever_they_stopped(
    begin, before, meanwhile, stopped
):
    talk_ = await begin()
    ana, ben = talk_.people
    since = round(stopped * await talk_.go_on(before))
    device = await ben.device()
    going_on = asyncio.create_task(talk_.go_on(meanwhile))
    await device.enter("/chat", since={f"chat:{talk_.id}": since})
    head = await going_on
    assert device.synced["/chat"]["rooms"][f"chat:{talk_.id}"]["recovered"]
    await until_heard(ana.client, talk_.id, head)
    if since < head:
        await until_heard(device, talk_.id, head)
    heard = in_room(device, talk_.id)
    assert numbers(heard) == list(range(since + 1, head + 1))
    for live, again in zip(in_room(ana.client, talk_.id)[since:], heard, strict=True):
        assert (again.name, again.meta) == (live.name, live.meta)
        message = again.data.get("message", {})
        wiped = message.get("id") in talk_.deleted and message["deleted"] and not message["text"]
        assert again.data == live.data or wiped
    await device.close()


async def until_heard(client: Client, conversation_id: str, seq: int) -> None:
    await client.until(lambda: (numbers(in_room(client, conversation_id)) or [0])[-1] >= seq)


async def rejoin(person: Person, chat: str, seq: int, **auth: Any) -> tuple[Any, list[Heard]]:
    """Return with a number; gives the room's entry in `synced`, and the events received in it."""
    device = await (await person.device()).enter("/chat", since={f"chat:{chat}": seq}, **auth)
    entry = device.synced["/chat"]["rooms"].get(f"chat:{chat}")
    heard = in_room(device, chat)
    await device.close()
    return entry, heard


@pytest.mark.settings(PARLEY_REPLAY_STREAM_MAX="5")
async def test_what_cannot_be_replayed_whole_is_not_replayed_in_part(world, people):
    ana, ben = people
    chat = await talk(ana, ben)
    epoch = ana.client.synced["/chat"]["epoch"]
    for number in range(9):
        await say(ana, chat, str(number))
    whole, none = {"seq": 10, "recovered": True}, {"seq": 10, "recovered": False}
    entry, heard = await rejoin(ben, chat, 5, epoch=epoch)
    assert (entry, numbers(heard)) == (whole, [6, 7, 8, 9, 10])
    assert await rejoin(ben, chat, 10, epoch=epoch) == (whole, [])
    for since, auth in [
        (4, {"epoch": epoch}),  # more than the limit of a replay
        (11, {"epoch": epoch}),  # beyond the head
        (9, {"epoch": "of a database that was"}),
        (10, {"epoch": "of a database that was"}),
    ]:
        assert await rejoin(ben, chat, since, **auth) == (none, []), since
    cleo = await world.person("cleo")
    assert await rejoin(cleo, chat, 9) == (None, []), "it was never hers"
    world.clock.advance(8 * DAY_S)
    await world.app.housekeeping.tidy()
    await say(ana, chat, "a week later")
    entry, heard = await rejoin(ben, chat, 9)
    assert (entry["recovered"], heard) == (False, []), "too old"
    assert numbers((await rejoin(ben, chat, 10))[1]) == [11]
    assert len(await texts(ben, chat)) == 10, "what was said stays"


# One order.


async def test_everybody_hears_everything_in_the_one_order_whoever_speaks_at_once(people):
    ana, ben = people
    chat = await talk(ana, ben)
    devices = [await (await one.device()).enter("/chat") for one in people * 4]
    await asyncio.gather(*[speak(device, chat, f"{n}", 25) for n, device in enumerate(devices)])
    everybody = [ana.client, ben.client, *devices]
    for device in everybody:
        await until_heard(device, chat, 201)
    orders = [
        [
            (one.meta["seq"], one.data["message"]["client_id"])
            for one in device.events("MESSAGE_SENT")
        ]
        for device in everybody
    ]
    assert [seq for seq, _ in orders[0]] == list(range(2, 202))
    assert all(order == orders[0] for order in orders)
    for number in range(len(devices)):
        own = [said for _, said in orders[0] if said.startswith(f"{number}.")]
        assert own == [f"{number}.{count}" for count in range(25)], "as it was said"
    shown: list[tuple[int, str]] = []
    for before in (202, 102):
        page = await ben.call(
            "/chat", "history", conversation_id=chat, before_seq=before, limit=100
        )
        shown = [(m["seq"], m["client_id"]) for m in page["messages"]] + shown
    assert shown == orders[0]


async def speak(device: Client, chat: str, name: str, count: int) -> None:
    """Send many messages without waiting for the answers."""
    answers = [
        await device.begin(
            "/chat", "send", {"conversation_id": chat, "client_id": f"{name}.{n}", "text": "t"}
        )
        for n in range(count)
    ]
    for answer in answers:
        assert (await answer)["ok"]


# A kill at any moment.


class Sender:
    """A socket that sends its messages, records acknowledgements, and reconnects."""

    def __init__(self, person: Person, conversation_id: str, client_ids: list[str]) -> None:
        self._person = person
        self._conversation_id = conversation_id
        self._client_ids = client_ids
        self.acknowledged: dict[str, int] = {}

    async def send_all(self, device: Client) -> None:
        """Send unacknowledged messages until none is left or the connection ends."""
        waiting: deque[tuple[str, asyncio.Future[Any]]] = deque()
        for client_id in [one for one in self._client_ids if one not in self.acknowledged]:
            payload = {
                "conversation_id": self._conversation_id,
                "client_id": client_id,
                "text": client_id,
            }
            with contextlib.suppress(ConnectionError):
                waiting.append((client_id, await device.begin("/chat", "send", payload)))
            if len(waiting) >= WINDOW:
                await self._take(device, *waiting.popleft())
        for one in waiting:
            await self._take(device, *one)

    async def _take(self, device: Client, client_id: str, answer: asyncio.Future[Any]) -> None:
        await device.until(lambda: answer.done() or device.closed.is_set())
        if answer.done():
            self.acknowledged[client_id] = answer.result()["data"]["seq"]


async def enter_again(process: Process, person: Person, **auth: Any) -> Client:
    device = await process.connect(person.token)
    return await device.enter("/chat", **auth)


async def test_a_kill_in_the_middle_loses_nothing_acknowledged_and_shows_nothing_twice(process):
    people = [await process.sign_up(name) for name in ("ana", "ben")]
    chat = await talk(*people)
    parts = [[f"{part}.{n}" for n in range(SENDS // 4)] for part in range(4)]
    senders = [Sender(person, chat, part) for person, part in zip(people * 2, parts, strict=True)]
    devices = [await enter_again(process, sender._person) for sender in senders]
    sending = asyncio.gather(
        *[sender.send_all(device) for sender, device in zip(senders, devices, strict=True)]
    )
    await people[0].client.until(lambda: len(people[0].events("MESSAGE_SENT")) >= SENDS // 3)
    process.kill()
    await sending
    before = {c: seq for sender in senders for c, seq in sender.acknowledged.items()}
    assert SENDS // 4 <= len(before) < SENDS, "the kill came in the middle"
    assert len(set(before.values())) == len(before)
    await process.start()
    stopped = numbers(in_room(people[1].client, chat))[-1]
    back = await enter_again(process, people[1], since={f"chat:{chat}": stopped})
    assert back.synced["/chat"]["rooms"][f"chat:{chat}"]["recovered"]
    again = [await enter_again(process, sender._person) for sender in senders]
    await asyncio.gather(
        *[sender.send_all(device) for sender, device in zip(senders, again, strict=True)]
    )
    kept = await whole_history(back, chat)
    assert sorted(kept) == sorted(itertools.chain(*parts)), "each is there exactly once"
    assert {client_id: kept[client_id] for client_id in before} == before
    await until_heard(back, chat, SENDS + 1)
    heard = [*in_room(people[1].client, chat), *in_room(back, chat)]
    assert numbers(heard) == list(range(1, SENDS + 2)), "no gap and no repeat"
    said = [one.data["message"] for one in heard if one.name == "MESSAGE_SENT"]
    assert {one["client_id"]: one["seq"] for one in said} == kept


async def whole_history(device: Client, chat: str) -> dict[str, int]:
    """The numbers of all messages by client id; each must occur once."""
    found: list[dict[str, Any]] = []
    before, more = None, True
    while more:
        page = await device.call(
            "/chat", "history", conversation_id=chat, before_seq=before, limit=100
        )
        found = page["messages"] + found
        before, more = found[0]["seq"], page["has_more"]
    kept = {message["client_id"]: message["seq"] for message in found}
    assert len(kept) == len(found)
    assert list(kept.values()) == sorted(kept.values())
    return kept


# The official client.


@one_database
@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]])
async def test_the_official_client_connects_asks_and_hears_events_with_their_numbers(
    world: World, people, transports
):
    ana, ben = people
    chat = await talk(ana, ben)
    official = socketio.AsyncClient(reconnection=False)
    synced: asyncio.Queue[Any] = asyncio.Queue()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    official.on("synced", synced.put, namespace="/chat")
    official.on("MESSAGE_SENT", lambda *said: heard.put_nowait(said), namespace="/chat")
    auth = {"token": ana.token, "since": {f"chat:{chat}": 0}}
    try:
        await official.connect(world.url, auth=auth, namespaces=["/chat"], transports=transports)
        async with asyncio.timeout(5):
            assert (await synced.get())["rooms"][f"chat:{chat}"] == {"seq": 1, "recovered": True}
            payload = {"conversation_id": chat, "client_id": "c", "text": "Olá"}
            answer = await official.call("send", payload, namespace="/chat")
            assert (answer["ok"], answer["data"]["text"]) == (True, "Olá")
            data, meta = await heard.get()
            assert data == {"message": answer["data"]}
            assert (meta["room"], meta["seq"]) == (f"chat:{chat}", 2)
            refused = await official.call("nonsense", {}, namespace="/chat")
            assert refused["error"]["code"] == "UNKNOWN_COMMAND"
    finally:
        await official.disconnect()


@one_database
async def test_the_official_client_gets_the_reason_of_a_refused_connection(world):
    official = socketio.AsyncClient(reconnection=False)
    told: asyncio.Queue[Any] = asyncio.Queue()
    official.on("connect_error", told.put, namespace="/chat")
    with pytest.raises(NotConnected):
        await official.connect(
            world.url, auth={"token": "x"}, namespaces=["/chat"], transports=["websocket"]
        )
    async with asyncio.timeout(5):
        error = await told.get()
    assert error["data"] == {"code": "TOKEN_INVALID"}
    assert error["message"]
    await official.disconnect()
