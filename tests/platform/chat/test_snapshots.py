"""What was fetched once, kept by the events after it, is what would be fetched afresh."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from handlers.kit.contract import Event
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import LinkPreview
from tests.platform.chat.scenes import Offer, offer, say, talk
from tests.wire_client import Heard
from tests.world import Person, World, both_databases

pytestmark = both_databases

NOTHING_OWN = {"muted_until": None, "archived": False, "draft": ""}
OWN = tuple(NOTHING_OWN)
Step = Callable[[], Awaitable[Any]]


class Mirror(Protocol):
    """A client's copy of a state; `seqs` are the numbers that it reflects, by room."""

    seqs: dict[str, int]

    async def fetch(self, person: Person) -> None: ...

    async def ask_again(self, person: Person) -> None:
        """Fetch what the events only named."""

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
    world: World,
    person: Person,
    namespace: str,
    make: Callable[[], Mirror],
    story: list[Step],
    but: Collection[str] = (),
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
    told = {heard.name for heard in stored}
    assert told == kinds_of(namespace) - {*but}, "the story tells every kind"
    for number, mirror in enumerate(mirrors):
        catch_up(mirror, stored)
        await mirror.ask_again(person)
        assert mirror.state() == fresh.state(), f"the snapshot before step {number}"
        assert mirror.seqs == fresh.seqs


def last_of(heard: list[Heard], room: str) -> int:
    return max((one.meta.get("seq", 0) for one in heard if one.meta.get("room") == room), default=0)


@dataclass
class Chats(Mirror):
    """One's conversations and all that was said in them."""

    me: str = ""
    conversations: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    pinned: set[str] = field(default_factory=set)
    restored: set[str] = field(default_factory=set)
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        self.me = person.id
        blocked = await person.call("/chat", "blocked")
        self.seqs[f"user:{self.me}"], self.blocked = blocked["seq"], set(blocked["user_ids"])
        found = await person.call("/chat", "list", limit=100)
        away = await person.call("/chat", "list", limit=100, archived=True)
        for one in found["conversations"] + away["conversations"]:
            self.listed[one["id"]] = one.pop("unread"), one.pop("last_message")
            self.own[one["id"]] = {name: one.pop(name) for name in OWN}
            self.conversations[one["id"]] = one
            pinned = await person.call("/chat", "pins", conversation_id=one["id"])
            self.pinned |= {message["id"] for message in pinned["messages"]}
            found = await person.call("/chat", "history", conversation_id=one["id"], limit=100)
            assert found["seq"] == one["seq"]
            self.seqs[f"chat:{one['id']}"] = one["seq"]
            self.messages |= {message["id"]: message for message in found["messages"]}

    async def ask_again(self, person: Person) -> None:
        """Ask for what is shown again; an event does not tell it."""
        for message_id in self.restored & set(self.messages):
            self.messages[message_id] = await person.call("/chat", "get", message_id=message_id)

    def hear(self, heard: Heard) -> None:
        self.seqs[heard.meta["room"]] = heard.meta["seq"]
        if "conversation" in heard.data:
            self._hear_of_members(heard)
            if (note := heard.data.get("message")) is not None:
                self.messages[note["id"]] = note
        elif heard.meta["room"] == f"user:{self.me}":
            self._hear_of_oneself(heard)
        elif "message" in heard.data:
            message = heard.data["message"]
            self.messages[message["id"]] = message
            self._of_room(heard)["seq"] = heard.meta["seq"]
        elif heard.name == "MESSAGE_RESTORED":
            self._of_room(heard)["seq"] = heard.meta["seq"]
            self.restored.add(heard.data["message_id"])
        elif heard.name == "MESSAGE_REACTED":
            self._of_room(heard)["seq"] = heard.meta["seq"]
            if heard.data["message_id"] in self.messages:
                self.messages[heard.data["message_id"]]["reactions"] = heard.data["reactions"]
        elif heard.name == "MESSAGE_PINNED":
            self._of_room(heard)["seq"] = heard.meta["seq"]
            change = self.pinned.add if heard.data["pinned"] else self.pinned.discard
            change(heard.data["message_id"])
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

    def _hear_of_oneself(self, heard: Heard) -> None:
        if heard.name == "CONVERSATION_ADJUSTED":
            state = dict(heard.data["state"])
            self.own[state.pop("conversation_id")] = state
        elif heard.name == "MESSAGE_REMOVED":
            self.messages.pop(heard.data["message_id"], None)
        elif heard.name == "PERSON_BLOCKED":
            change = self.blocked.add if heard.data["on"] else self.blocked.discard
            change(heard.data["person_id"])
        else:
            assert heard.name == "CONVERSATION_READ"
            self.read[heard.data["conversation_id"]] = heard.data["seq"]

    def _of_room(self, heard: Heard) -> Any:
        return self.conversations[heard.meta["room"].removeprefix("chat:")]

    def state(self) -> Any:
        mine = [m for m in self.messages.values() if m["conversation_id"] in self.conversations]
        shown = {message["id"] for message in mine if not message["deleted"]}
        own = {one: self.own.get(one, NOTHING_OWN) for one in self.conversations}
        by_id = sorted(mine, key=lambda message: message["id"])
        return self.conversations, by_id, own, self.blocked, self.pinned & shown

    def counts(self) -> dict[str, Any]:
        """`(unread, last message)` of each conversation, worked out from the rest."""
        return {
            conversation_id: self._count(
                conversation_id, max(one["read"].get(self.me, 0), self.read.get(conversation_id, 0))
            )
            for conversation_id, one in self.conversations.items()
        }

    def _count(self, conversation_id: str, read: int) -> Any:
        here = [m for m in self.messages.values() if m["conversation_id"] == conversation_id]
        unread = [
            m
            for m in here
            if m["seq"] > read and m["sender_id"] != self.me and not m["deleted"]
            if m["kind"] != "system"
        ]
        return len(unread), max(here, key=lambda message: message["seq"], default=None)


def show_a_page(tx: Transaction, message_id: str) -> None:
    message = chats.lock_text(tx, message_id)
    assert message is not None
    chats.show_preview(tx, message, LinkPreview("https://page.example/", "A page", None, None))


@dataclass
class Cast:
    """Who plays, where, and what they said so far, by its text."""

    world: World
    ana: Person
    ben: Person
    cleo: Person
    chat: str
    group: str
    said: dict[str, Any] = field(default_factory=dict)

    async def tell(self, text: str, by: Person | None = None, where: str = "") -> None:
        self.said[text] = await say(by or self.ben, where or self.chat, text)

    async def share(self) -> None:
        """A group of Ana and Ben alone."""
        members = {"name": "S", "member_ids": [self.ana.id]}
        self.said["shared"] = await self.ben.call("/chat", "create_group", **members)

    async def of(self, person: Person, command: str, known: str, **more: Any) -> None:
        """Do something with a message, or with what else is known by a text."""
        name = "conversation_id" if known == "shared" else "message_id"
        await person.call("/chat", command, **{name: self.said[known]["id"]}, **more)

    async def read(self, person: Person, text: str) -> None:
        seq = self.said[text]["seq"]
        await person.call("/chat", "mark_read", conversation_id=self.chat, seq=seq)


def talking(cast: Cast, shop: Offer) -> list[Step]:
    """Messages, marks, members and a booking."""
    ana, ben, cleo, chat, group = cast.ana, cast.ben, cast.cleo, cast.chat, cast.group
    there, in_group = {"conversation_id": chat}, {"conversation_id": group}

    async def book() -> None:
        cast.said["booking"] = await ana.call("/chat", "request_booking", **there, **shop.ask())

    return [
        lambda: cast.tell("one"),
        lambda: cast.tell("two", ana),
        lambda: cast.of(ben, "edit", "one", text="changed"),
        lambda: ana.call("/chat", "mark_delivered", **there, seq=2),
        lambda: ben.call("/chat", "mark_read", **there, seq=3),
        lambda: cast.tell("three"),
        lambda: cast.of(ben, "delete", "three"),
        lambda: cast.tell("four"),
        lambda: cast.of(ana, "react", "one", emoji="\U0001f44d"),
        lambda: cast.of(ben, "react", "four", emoji="\U0001f44d"),
        lambda: cast.world.transact(show_a_page, cast.said["one"]["id"]),
        lambda: cast.world.transact(show_a_page, cast.said["four"]["id"]),
        lambda: cast.world.transact(chats.hide, cast.said["two"]["id"]),
        lambda: cast.world.transact(chats.hide, cast.said["four"]["id"]),
        lambda: cast.world.transact(chats.restore, cast.said["four"]["id"]),
        lambda: cast.of(ben, "edit", "one", text="changed again"),
        book,
        lambda: ben.call("/booking", "approve", booking_id=cast.said["booking"]["id"]),
        lambda: cast.tell("in the group", where=group),
        lambda: ben.call("/chat", "add_member", **in_group, user_id=ana.id),
        lambda: cast.tell("Ana is in", cleo, group),
        lambda: ana.call("/chat", "mark_read", **in_group, seq=4),
        lambda: ben.call("/chat", "remove_member", **in_group, user_id=cleo.id),
        lambda: ben.call("/chat", "remove_member", **in_group, user_id=ana.id),
        lambda: cast.tell("Ana is out", where=group),
        lambda: ana.call("/chat", "open", user_id=cleo.id),
        lambda: ana.call("/chat", "mark_read", **there, seq=2),
        lambda: talk(cleo, ben, ana),
    ]


def keeping_order(cast: Cast) -> list[Step]:
    """What is pinned, one's own, and a group that is shared."""
    ana, ben, cleo, there = cast.ana, cast.ben, cast.cleo, {"conversation_id": cast.chat}
    return [
        lambda: cast.of(ana, "pin", "one"),
        lambda: cast.of(ana, "pin", "four"),
        lambda: cast.of(ben, "pin", "one", on=False),
        lambda: cast.of(ana, "delete_for_me", "two"),
        lambda: ana.call("/chat", "mute", **there, until="2031-01-01T00:00:00Z"),
        lambda: ana.call("/chat", "archive", **there),
        lambda: ana.call("/chat", "draft", **there, text="I have be"),
        lambda: ana.call("/chat", "draft", **there, text=""),
        lambda: cast.tell("five"),
        lambda: cast.of(ben, "delete", "four"),
        lambda: ana.call("/chat", "block", user_id=cleo.id),
        lambda: ana.call("/chat", "block", user_id=ben.id),
        lambda: ana.call("/chat", "block", user_id=ben.id, on=False),
        cast.share,
        lambda: cast.of(ben, "rename", "shared", name="Ours"),
        lambda: cast.of(ben, "set_role", "shared", user_id=ana.id, role="owner"),
        lambda: ana.call("/profile", "update", settings={"read_receipts": False}),
        lambda: cast.read(ana, "five"),
    ]


@pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")
async def test_conversations_are_what_their_events_make_of_them(world):
    ana, cleo = await world.person("ana"), await world.person("cleo")
    ben = await world.person("ben", consultant=True)
    shop = await offer(world, ben)
    chat = await talk(ben, ana)
    await talk(ben, cleo)
    group = (await ben.call("/chat", "create_group", name="G", member_ids=[cleo.id]))["id"]
    cast = Cast(world, ana, ben, cleo, chat, group)
    await check(world, ana, "/chat", Chats, [*talking(cast, shop), *keeping_order(cast)])
    fresh = Chats(read={chat: cast.said["five"]["seq"]})
    await fresh.fetch(ana)
    assert fresh.listed == fresh.counts()
    assert group not in fresh.conversations


@dataclass
class News(Mirror):
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
class Me(Mirror):
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
