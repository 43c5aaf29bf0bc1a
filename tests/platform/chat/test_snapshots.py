"""A snapshot plus the events after it equals a new snapshot."""

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

DEFAULT_STATE = {"muted_until": None, "archived": False, "draft": ""}
STATE_FIELDS = tuple(DEFAULT_STATE)
Step = Callable[[], Awaitable[Any]]


class Mirror(Protocol):
    """A client's copy of a state; `seqs` are the event numbers that it includes, by room."""

    seqs: dict[str, int]

    async def fetch(self, person: Person) -> None: ...

    async def refetch(self, person: Person) -> None:
        """Fetch objects of which the events contain only the ids."""

    def apply(self, heard: Heard) -> None: ...

    def state(self) -> Any: ...


def catch_up(mirror: Mirror, events: list[Heard]) -> None:
    """Apply the events after the snapshot, as PROTOCOL.md tells clients to do."""
    for heard in events:
        room, seq = heard.meta["room"], heard.meta["seq"]
        if seq > mirror.seqs.get(room, 0):
            mirror.apply(heard)


def event_names_of(namespace: str) -> set[str]:
    """The names of all stored events that clients receive in a namespace."""

    def below(cls: type[Event]) -> list[type[Event]]:
        children = cls.__subclasses__()
        return [*children, *[one for child in children for one in below(child)]]

    named = [cls for cls in below(Event) if "NAME" in cls.__dict__]
    return {cls.NAME for cls in named if namespace == cls.NAMESPACE}


async def check(
    world: World,
    person: Person,
    namespace: str,
    make_mirror: Callable[[], Mirror],
    steps: list[Step],
    missing: Collection[str] = (),
) -> None:
    """Take a snapshot before each step; with its events, each must equal the final state."""
    client = await (await person.device()).enter(namespace)
    mirrors = []
    for step in steps:
        mirrors.append(make_mirror())
        await mirrors[-1].fetch(person)
        await step()
        await world.settle()
    fresh = make_mirror()
    await fresh.fetch(person)
    for room, seq in fresh.seqs.items():
        await client.until(lambda r=room, s=seq: last_of(client.heard, r) >= s)
    stored = [heard for heard in client.heard if "seq" in heard.meta]
    received = {heard.name for heard in stored}
    assert received == event_names_of(namespace) - {*missing}, "the story tells every kind"
    for number, mirror in enumerate(mirrors):
        catch_up(mirror, stored)
        await mirror.refetch(person)
        assert mirror.state() == fresh.state(), f"the snapshot before step {number}"
        assert mirror.seqs == fresh.seqs


def last_of(heard: list[Heard], room: str) -> int:
    return max((one.meta.get("seq", 0) for one in heard if one.meta.get("room") == room), default=0)


@dataclass
class ChatMirror(Mirror):
    """A user's conversations and all messages in them."""

    me: str = ""
    conversations: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    unread_from: dict[str, int] = field(default_factory=dict)
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
            self.own[one["id"]] = {name: one.pop(name) for name in STATE_FIELDS}
            self.conversations[one["id"]] = one
            pinned = await person.call("/chat", "pins", conversation_id=one["id"])
            self.pinned |= {message["id"] for message in pinned["messages"]}
            found = await person.call("/chat", "history", conversation_id=one["id"], limit=100)
            assert found["seq"] == one["seq"]
            self.seqs[f"chat:{one['id']}"] = one["seq"]
            self.messages |= {message["id"]: message for message in found["messages"]}

    async def refetch(self, person: Person) -> None:
        """Fetch restored messages, because their event contains no text."""
        for message_id in self.restored & set(self.messages):
            self.messages[message_id] = await person.call("/chat", "get", message_id=message_id)

    def apply(self, heard: Heard) -> None:
        self.seqs[heard.meta["room"]] = heard.meta["seq"]
        if "conversation" in heard.data:
            self._apply_membership(heard)
            if (note := heard.data.get("message")) is not None:
                self.messages[note["id"]] = note
        elif heard.meta["room"] == f"user:{self.me}":
            self._apply_own_event(heard)
        elif "message" in heard.data:
            message = heard.data["message"]
            self.messages[message["id"]] = message
            self._conversation_of(heard)["seq"] = heard.meta["seq"]
        elif heard.name == "MESSAGE_RESTORED":
            self._conversation_of(heard)["seq"] = heard.meta["seq"]
            self.restored.add(heard.data["message_id"])
        elif heard.name == "MESSAGE_REACTED":
            self._conversation_of(heard)["seq"] = heard.meta["seq"]
            if heard.data["message_id"] in self.messages:
                self.messages[heard.data["message_id"]]["reactions"] = heard.data["reactions"]
        elif heard.name == "MESSAGE_PINNED":
            self._conversation_of(heard)["seq"] = heard.meta["seq"]
            change = self.pinned.add if heard.data["pinned"] else self.pinned.discard
            change(heard.data["message_id"])
        elif heard.name == "MESSAGE_PREVIEWED":
            self._conversation_of(heard)["seq"] = heard.meta["seq"]
            if heard.data["message_id"] in self.messages:
                self.messages[heard.data["message_id"]]["preview"] = heard.data["preview"]
        else:
            kind = {"MESSAGE_READ": "read", "MESSAGE_DELIVERED": "delivered"}[heard.name]
            self._conversation_of(heard)["seq"] = heard.meta["seq"]
            self._conversation_of(heard)[kind][heard.data["user_id"]] = heard.data["seq"]

    def _apply_membership(self, heard: Heard) -> None:
        conversation = heard.data["conversation"]
        if self.me in conversation["member_ids"]:
            known = self.conversations.setdefault(conversation["id"], conversation)
            if conversation["seq"] >= known["seq"]:
                self.conversations[conversation["id"]] = conversation
        else:
            self.conversations.pop(conversation["id"], None)
            self.seqs.pop(f"chat:{conversation['id']}", None)

    def _apply_own_event(self, heard: Heard) -> None:
        if heard.name == "CONVERSATION_ADJUSTED":
            state = dict(heard.data["state"])
            self.own[state.pop("conversation_id")] = state
        elif heard.name == "MESSAGE_REMOVED":
            self.messages.pop(heard.data["message_id"], None)
        elif heard.name == "PERSON_BLOCKED":
            change = self.blocked.add if heard.data["on"] else self.blocked.discard
            change(heard.data["person_id"])
        elif heard.name == "CONVERSATION_MARKED_UNREAD":
            self.unread_from[heard.data["conversation_id"]] = heard.data["seq"]
        else:
            assert heard.name == "CONVERSATION_READ"
            self.read[heard.data["conversation_id"]] = heard.data["seq"]
            self.unread_from.pop(heard.data["conversation_id"], None)

    def _conversation_of(self, heard: Heard) -> Any:
        return self.conversations[heard.meta["room"].removeprefix("chat:")]

    def state(self) -> Any:
        mine = [m for m in self.messages.values() if m["conversation_id"] in self.conversations]
        shown = {message["id"] for message in mine if not message["deleted"]}
        own = {one: self.own.get(one, DEFAULT_STATE) for one in self.conversations}
        by_id = sorted(mine, key=lambda message: message["id"])
        return self.conversations, by_id, own, self.blocked, self.pinned & shown

    def counts(self) -> dict[str, Any]:
        """`(unread, last message)` of each conversation, computed from the other state."""
        return {
            conversation_id: self._count(conversation_id, self._read_up_to(conversation_id))
            for conversation_id in self.conversations
        }

    def _read_up_to(self, conversation_id: str) -> int:
        if (unread_from := self.unread_from.get(conversation_id)) is not None:
            return unread_from - 1
        shared = self.conversations[conversation_id]["read"].get(self.me, 0)
        return max(shared, self.read.get(conversation_id, 0))

    def _count(self, conversation_id: str, read: int) -> Any:
        here = [m for m in self.messages.values() if m["conversation_id"] == conversation_id]
        unread = [
            m
            for m in here
            if m["seq"] > read and m["sender_id"] != self.me and not m["deleted"]
            if m["kind"] != "system"
        ]
        return len(unread), max(here, key=lambda message: message["seq"], default=None)


def show_link_preview(tx: Transaction, message_id: str) -> None:
    message = chats.lock_text(tx, message_id)
    assert message is not None
    chats.show_preview(tx, message, LinkPreview("https://page.example/", "A page", None, None))


@dataclass
class Scene:
    """The users, their conversations and the messages so far, by text."""

    world: World
    ana: Person
    ben: Person
    cleo: Person
    chat: str
    group: str
    said: dict[str, Any] = field(default_factory=dict)

    async def send(self, text: str, by: Person | None = None, where: str = "") -> None:
        self.said[text] = await say(by or self.ben, where or self.chat, text)

    async def create_group(self) -> None:
        """Create a group of Ana and Ben."""
        members = {"name": "S", "member_ids": [self.ana.id]}
        self.said["shared"] = await self.ben.call("/chat", "create_group", **members)

    async def call_on(self, person: Person, command: str, known: str, **more: Any) -> None:
        """Call a command on a message, or on the group that is known as `shared`."""
        name = "conversation_id" if known == "shared" else "message_id"
        await person.call("/chat", command, **{name: self.said[known]["id"]}, **more)

    async def read(self, person: Person, text: str) -> None:
        seq = self.said[text]["seq"]
        await person.call("/chat", "mark_read", conversation_id=self.chat, seq=seq)


def message_steps(scene: Scene, shop: Offer) -> list[Step]:
    """Steps with messages, marks, members and a booking."""
    ana, ben, cleo, chat, group = scene.ana, scene.ben, scene.cleo, scene.chat, scene.group
    there, in_group = {"conversation_id": chat}, {"conversation_id": group}

    async def book() -> None:
        scene.said["booking"] = await ana.call("/chat", "request_booking", **there, **shop.ask())

    return [
        lambda: scene.send("one"),
        lambda: scene.send("two", ana),
        lambda: scene.call_on(ben, "edit", "one", text="changed"),
        lambda: ana.call("/chat", "mark_delivered", **there, seq=2),
        lambda: ben.call("/chat", "mark_read", **there, seq=3),
        lambda: scene.send("three"),
        lambda: scene.call_on(ben, "delete", "three"),
        lambda: scene.send("four"),
        lambda: scene.call_on(ana, "react", "one", emoji="\U0001f44d"),
        lambda: scene.call_on(ben, "react", "four", emoji="\U0001f44d"),
        lambda: scene.world.transact(show_link_preview, scene.said["one"]["id"]),
        lambda: scene.world.transact(show_link_preview, scene.said["four"]["id"]),
        lambda: scene.world.transact(chats.hide, scene.said["two"]["id"]),
        lambda: scene.world.transact(chats.hide, scene.said["four"]["id"]),
        lambda: scene.world.transact(chats.restore, scene.said["four"]["id"]),
        lambda: scene.call_on(ben, "edit", "one", text="changed again"),
        book,
        lambda: ben.call("/booking", "approve", booking_id=scene.said["booking"]["id"]),
        lambda: scene.send("in the group", where=group),
        lambda: ben.call("/chat", "add_member", **in_group, user_id=ana.id),
        lambda: scene.send("Ana is in", cleo, group),
        lambda: ana.call("/chat", "mark_read", **in_group, seq=4),
        lambda: ben.call("/chat", "remove_member", **in_group, user_id=cleo.id),
        lambda: ben.call("/chat", "remove_member", **in_group, user_id=ana.id),
        lambda: scene.send("Ana is out", where=group),
        lambda: ana.call("/chat", "open", user_id=cleo.id),
        lambda: ana.call("/chat", "mark_read", **there, seq=2),
        lambda: talk(cleo, ben, ana),
    ]


def private_steps(scene: Scene) -> list[Step]:
    """Steps with pins, private state, blocks and a group with two owners."""
    ana, ben, cleo, there = scene.ana, scene.ben, scene.cleo, {"conversation_id": scene.chat}
    return [
        lambda: scene.call_on(ana, "pin", "one"),
        lambda: scene.call_on(ana, "pin", "four"),
        lambda: scene.call_on(ben, "pin", "one", on=False),
        lambda: scene.call_on(ana, "delete_for_me", "two"),
        lambda: ana.call("/chat", "mute", **there, until="2031-01-01T00:00:00Z"),
        lambda: ana.call("/chat", "archive", **there),
        lambda: ana.call("/chat", "draft", **there, text="I have be"),
        lambda: ana.call("/chat", "draft", **there, text=""),
        lambda: scene.send("five"),
        lambda: scene.call_on(ben, "delete", "four"),
        lambda: ana.call("/chat", "block", user_id=cleo.id),
        lambda: ana.call("/chat", "block", user_id=ben.id),
        lambda: ana.call("/chat", "block", user_id=ben.id, on=False),
        scene.create_group,
        lambda: scene.call_on(ben, "rename", "shared", name="Ours"),
        lambda: scene.call_on(ben, "set_role", "shared", user_id=ana.id, role="owner"),
        lambda: ana.call("/profile", "update", settings={"read_receipts": False}),
        lambda: scene.read(ana, "five"),
        lambda: ana.call("/chat", "mark_unread", **there),
    ]


@pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")
async def test_a_snapshot_of_conversations_plus_its_events_is_the_current_state(world):
    ana, cleo = await world.person("ana"), await world.person("cleo")
    ben = await world.person("ben", consultant=True)
    shop = await offer(world, ben)
    chat = await talk(ben, ana)
    await talk(ben, cleo)
    group = (await ben.call("/chat", "create_group", name="G", member_ids=[cleo.id]))["id"]
    scene = Scene(world, ana, ben, cleo, chat, group)
    steps = [*message_steps(scene, shop), *private_steps(scene)]
    gathered = {"MARKS_GATHERED"}  # of larger groups, see test_gathered_marks.py
    await check(world, ana, "/chat", ChatMirror, steps, gathered)
    five = scene.said["five"]["seq"]
    fresh = ChatMirror(read={chat: five}, unread_from={chat: five})
    await fresh.fetch(ana)
    assert fresh.listed == fresh.counts()
    assert group not in fresh.conversations


@dataclass
class NotificationMirror(Mirror):
    """A user's notifications and their unread count."""

    notifications: dict[str, Any] = field(default_factory=dict)
    unread: int = 0
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        page = await person.call("/notifications", "list", limit=100)
        self.notifications = {one["id"]: one for one in page["notifications"]}
        self.unread = page["unread"]
        self.seqs[f"user:{person.id}"] = page["seq"]

    def apply(self, heard: Heard) -> None:
        self.seqs[heard.meta["room"]] = heard.meta["seq"]
        if heard.name == "NOTIFICATION_DISPATCHED":
            self.notifications[heard.data["notification"]["id"]] = heard.data["notification"]
            self.unread += 1
        else:
            for one in heard.data["ids"]:
                self.notifications[one]["read_at"] = heard.meta["at"]
            self.unread = heard.data["unread"]

    def state(self) -> Any:
        return self.notifications, self.unread


async def test_a_snapshot_of_notifications_plus_its_events_is_the_current_state(world):
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

    steps: list[Step] = [
        lambda: ask(0),
        lambda: read(1),
        lambda: ask(1),
        lambda: ask(2),
        lambda: read(2),
        lambda: read(4),
        lambda: ask(3),
    ]
    await check(world, ben, "/notifications", NotificationMirror, steps)


@dataclass
class ProfileMirror(Mirror):
    """A user's own profile."""

    user: Any = None
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        self.user = await person.call("/profile", "me")

    def apply(self, heard: Heard) -> None:
        self.user = heard.data["user"]

    def state(self) -> Any:
        return self.user


async def test_the_last_profile_event_contains_the_current_profile(world):
    ana = await world.person("ana")
    steps: list[Step] = [
        lambda: ana.call("/profile", "update", first_name="Anna"),
        lambda: ana.call("/consultants", "become", **CONSULTANT),
        lambda: ana.call("/profile", "update", settings={"theme": "dark"}),
    ]
    await check(world, ana, "/profile", ProfileMirror, steps)
    assert (await ana.call("/profile", "me"))["roles"] == ["student", "consultant"]


CONSULTANT = {"about_me": "", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
