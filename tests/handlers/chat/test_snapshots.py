"""What was fetched once, kept by the events after it, is what would be fetched afresh."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from handlers.chat import public as chats
from handlers.chat.contracts.messages import LinkPreview
from handlers.kit.context import Transaction
from handlers.kit.contract import Event
from tests.handlers.chat.scenes import offer, say, talk
from tests.wire_client import Heard
from tests.world import Person, World

Step = Callable[[], Awaitable[Any]]


class Mirror(Protocol):
    """A client's copy of a state; `seqs` are the numbers that it reflects, by room."""

    seqs: dict[str, int]

    async def fetch(self, person: Person) -> None: ...

    def hear(self, heard: Heard) -> None: ...

    def state(self) -> Any: ...


def catch_up(mirror: Mirror, events: list[Heard]) -> None:
    """Hear what is above the numbers of the snapshot, as PROTOCOL.md tells clients to."""
    for heard in events:
        room, seq = heard.meta["room"], heard.meta["seq"]
        if seq > mirror.seqs.get(room, 0):
            mirror.hear(heard)


def kinds_of(namespace: str) -> set[str]:
    """The names of all stored events that people hear in a namespace."""

    def below(cls: type[Event]) -> list[type[Event]]:
        children = cls.__subclasses__()
        return [*children, *[one for child in children for one in below(child)]]

    named = [cls for cls in below(Event) if "NAME" in cls.__dict__]
    return {cls.NAME for cls in named if namespace == cls.NAMESPACE}


async def check(
    world: World, person: Person, namespace: str, make: Callable[[], Mirror], story: list[Step]
) -> None:
    """Take a snapshot before each step: all of them must come to what is fetched at the end."""
    client = await (await person.device()).enter(namespace)
    mirrors = []
    for step in story:
        mirrors.append(make())
        await mirrors[-1].fetch(person)
        await step()
        await world.settle()
    fresh = make()
    await fresh.fetch(person)
    for room, seq in fresh.seqs.items():
        await client.until(lambda r=room, s=seq: last_of(client.heard, r) >= s)
    stored = [heard for heard in client.heard if "seq" in heard.meta]
    assert {heard.name for heard in stored} == kinds_of(namespace), "the story tells every kind"
    for number, mirror in enumerate(mirrors):
        catch_up(mirror, stored)
        assert mirror.state() == fresh.state(), f"the snapshot before step {number}"
        assert mirror.seqs == fresh.seqs


def last_of(heard: list[Heard], room: str) -> int:
    return max((one.meta.get("seq", 0) for one in heard if one.meta.get("room") == room), default=0)


@dataclass
class Chats:
    """One's conversations and all that was said in them."""

    me: str = ""
    conversations: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        self.me = person.id
        page = await person.call("/chat", "list", limit=100)
        self.seqs[f"user:{self.me}"] = page["seq"]
        for one in page["conversations"]:
            self.listed[one["id"]] = one.pop("unread"), one.pop("last_message")
            self.conversations[one["id"]] = one
            found = await person.call("/chat", "history", conversation_id=one["id"], limit=100)
            assert found["seq"] == one["seq"]
            self.seqs[f"chat:{one['id']}"] = one["seq"]
            self.messages |= {message["id"]: message for message in found["messages"]}

    def hear(self, heard: Heard) -> None:
        self.seqs[heard.meta["room"]] = heard.meta["seq"]
        if "conversation" in heard.data:
            self._hear_of_members(heard)
        elif "message" in heard.data:
            message = heard.data["message"]
            self.messages[message["id"]] = message
            self._of_room(heard)["seq"] = heard.meta["seq"]
        elif heard.name == "MESSAGE_REACTED":
            self._of_room(heard)["seq"] = heard.meta["seq"]
            if heard.data["message_id"] in self.messages:
                self.messages[heard.data["message_id"]]["reactions"] = heard.data["reactions"]
        elif heard.name == "MESSAGE_PREVIEWED":
            self._of_room(heard)["seq"] = heard.meta["seq"]
            if heard.data["message_id"] in self.messages:
                self.messages[heard.data["message_id"]]["preview"] = heard.data["preview"]
        else:
            kind = {"MESSAGE_READ": "read", "MESSAGE_DELIVERED": "delivered"}[heard.name]
            self._of_room(heard)["seq"] = heard.meta["seq"]
            self._of_room(heard)[kind][heard.data["user_id"]] = heard.data["seq"]

    def _hear_of_members(self, heard: Heard) -> None:
        conversation = heard.data["conversation"]
        if self.me in conversation["member_ids"]:
            known = self.conversations.setdefault(conversation["id"], conversation)
            if conversation["seq"] >= known["seq"]:
                self.conversations[conversation["id"]] = conversation
        else:
            self.conversations.pop(conversation["id"], None)
            self.seqs.pop(f"chat:{conversation['id']}", None)

    def _of_room(self, heard: Heard) -> Any:
        return self.conversations[heard.meta["room"].removeprefix("chat:")]

    def state(self) -> Any:
        mine = [m for m in self.messages.values() if m["conversation_id"] in self.conversations]
        return self.conversations, sorted(mine, key=lambda message: message["id"])

    def counts(self) -> dict[str, Any]:
        """`(unread, last message)` of each conversation, worked out from the rest."""
        return {
            conversation_id: self._count(conversation_id, one["read"].get(self.me, 0))
            for conversation_id, one in self.conversations.items()
        }

    def _count(self, conversation_id: str, read: int) -> Any:
        here = [m for m in self.messages.values() if m["conversation_id"] == conversation_id]
        unread = [
            m for m in here if m["seq"] > read and m["sender_id"] != self.me and not m["deleted"]
        ]
        return len(unread), max(here, key=lambda message: message["seq"], default=None)


def show_a_page(tx: Transaction, message_id: str) -> None:
    message = chats.lock_text(tx, message_id)
    assert message is not None
    chats.show_preview(tx, message, LinkPreview("https://page.example/", "A page", None, None))


@pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")
async def test_conversations_are_what_their_events_make_of_them(world):
    ana, cleo = await world.person("ana"), await world.person("cleo")
    ben = await world.person("ben", consultant=True)
    shop = await offer(world, ben)
    chat = await talk(ben, ana)
    group = await talk(ben, cleo)
    group = (await ben.call("/chat", "create_group", name="G", member_ids=[cleo.id]))["id"]
    there, in_group = {"conversation_id": chat}, {"conversation_id": group}
    said: dict[str, str] = {}

    async def tell(text: str, by: Person = ben, where: str = chat) -> None:
        said[text] = (await say(by, where, text))["id"]

    async def book() -> None:
        said["booking"] = (await ana.call("/chat", "request_booking", **there, **shop.ask()))["id"]

    story: list[Step] = [
        lambda: tell("one"),
        lambda: tell("two", ana),
        lambda: ben.call("/chat", "edit", message_id=said["one"], text="changed"),
        lambda: ana.call("/chat", "mark_delivered", **there, seq=2),
        lambda: ben.call("/chat", "mark_read", **there, seq=3),
        lambda: tell("three"),
        lambda: ben.call("/chat", "delete", message_id=said["three"]),
        lambda: tell("four"),
        lambda: ana.call("/chat", "react", message_id=said["one"], emoji="\U0001f44d"),
        lambda: ben.call("/chat", "react", message_id=said["four"], emoji="\U0001f44d"),
        lambda: world.transact(show_a_page, said["one"]),
        lambda: world.transact(show_a_page, said["four"]),
        lambda: ben.call("/chat", "edit", message_id=said["one"], text="changed again"),
        book,
        lambda: ben.call("/booking", "approve", booking_id=said["booking"]),
        lambda: tell("in the group", where=group),
        lambda: ben.call("/chat", "add_member", **in_group, user_id=ana.id),
        lambda: tell("Ana is in", cleo, group),
        lambda: ana.call("/chat", "mark_read", **in_group, seq=4),
        lambda: ben.call("/chat", "remove_member", **in_group, user_id=cleo.id),
        lambda: ben.call("/chat", "remove_member", **in_group, user_id=ana.id),
        lambda: tell("Ana is out", where=group),
        lambda: ana.call("/chat", "open", user_id=cleo.id),
        lambda: ana.call("/chat", "mark_read", **there, seq=2),
        lambda: talk(cleo, ben, ana),
    ]
    await check(world, ana, "/chat", Chats, story)
    fresh = Chats()
    await fresh.fetch(ana)
    assert fresh.listed == fresh.counts()
    assert group not in fresh.conversations


@dataclass
class News:
    """What one was told, and how much of it is unread."""

    told: dict[str, Any] = field(default_factory=dict)
    unread: int = 0
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        page = await person.call("/notifications", "list", limit=100)
        self.told = {one["id"]: one for one in page["notifications"]}
        self.unread = page["unread"]
        self.seqs[f"user:{person.id}"] = page["seq"]

    def hear(self, heard: Heard) -> None:
        self.seqs[heard.meta["room"]] = heard.meta["seq"]
        if heard.name == "NOTIFICATION_DISPATCHED":
            self.told[heard.data["notification"]["id"]] = heard.data["notification"]
            self.unread += 1
        else:
            for one in heard.data["ids"]:
                self.told[one]["read_at"] = heard.meta["at"]
            self.unread = heard.data["unread"]

    def state(self) -> Any:
        return self.told, self.unread


async def test_notifications_are_what_their_events_make_of_them(world):
    ana = await world.person("ana")
    ben = await world.person("ben", consultant=True)
    shop = await offer(world, ben, max_calls=3)
    await world.settle()

    async def ask(number: int) -> None:
        await ana.call("/booking", "request", **shop.ask(number))

    async def read(count: int) -> None:
        page = await ben.call("/notifications", "list")
        ids = [one["id"] for one in page["notifications"]][:count]
        await ben.call("/notifications", "mark_read", ids=ids)

    story: list[Step] = [
        lambda: ask(0),
        lambda: read(1),
        lambda: ask(1),
        lambda: ask(2),
        lambda: read(2),
        lambda: read(4),
        lambda: ask(3),
    ]
    await check(world, ben, "/notifications", News, story)


@dataclass
class Me:
    """One's own user."""

    user: Any = None
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        self.user = await person.call("/profile", "me")

    def hear(self, heard: Heard) -> None:
        self.user = heard.data["user"]

    def state(self) -> Any:
        return self.user


async def test_ones_own_user_is_what_the_last_event_says(world):
    ana = await world.person("ana")
    story: list[Step] = [
        lambda: ana.call("/profile", "update", first_name="Anna"),
        lambda: ana.call("/consultants", "become", **CONSULTANT),
        lambda: ana.call("/profile", "update", settings={"theme": "dark"}),
    ]
    await check(world, ana, "/profile", Me, story)
    assert (await ana.call("/profile", "me"))["roles"] == ["student", "consultant"]


CONSULTANT = {"about_me": "", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
