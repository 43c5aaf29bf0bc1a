"""Objects of other users look as if they do not exist, and cannot be changed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from handlers.kit.ids import new_id
from rooms.names import stream
from storage.engine.columns import metadata
from storage.platform.identities import IdentityRow, insert_identity
from storage.platform.uploads import UploadRow, insert_upload
from tests.access import REGISTRY, each_access
from tests.consulting.waiting_room.scenes import hour_of
from tests.world import Person, World, session_id_of, until

pytestmark = pytest.mark.settings(PARLEY_FRESH_PROOF_S="100000000")  # all proofs stay fresh here
EVERY_ROW = {
    name: select(table).order_by(*table.primary_key.columns)
    for name, table in metadata.tables.items()
    if name != "instances"  # their heartbeats change every few seconds
}

COMMANDS = REGISTRY.commands
THEIRS = {key: asked for access in each_access() for key, asked in access.theirs.items()}
"""By command: the field with the id of a user's object, and the rest of the payload."""
NAMESPACES = sorted({namespace for namespace, _ in THEIRS} | {"/notifications"})
NOT_OBJECTS = {"request_id", "client_id"}


class Row(tuple):
    """One row of any table."""

    def __new__(cls, *values: Any) -> "Row":
        return super().__new__(cls, values)


def names_an_object(field: str) -> bool:
    return field not in NOT_OBJECTS and field.endswith(("_id", "ids"))


def test_every_command_that_takes_an_objects_id_is_in_the_sweep():
    taking = {
        key
        for key, command in COMMANDS.items()
        if any(names_an_object(field) for field in command.request.__struct_fields__)
    }
    answered = [key for one in each_access() for key in (*one.anybodys, *one.elsewhere)]
    assert taking == {*THEIRS, *answered}, (
        "the domain's `access.py` says how strangers are answered"
    )
    for key, (field, _) in THEIRS.items():
        assert field in COMMANDS[key].request.__struct_fields__


def identity_of(user_id: str) -> IdentityRow:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return IdentityRow(new_id(now), "https://house.example", "ana", user_id, "house", None, now)


async def ready_picture(world: World, user_id: str) -> str:
    def make(tx: Any) -> str:
        row = UploadRow(
            id=tx.new_id(),
            user_id=user_id,
            name="me.png",
            content_type="image/png",
            kind="image",
            size=1,
            sha256=None,
            status="ready",
            key="pictures/one",
            parts_id=None,
            checked_until=None,
            thumbnail=True,
            width=1,
            height=1,
            used=False,
            public=False,
            created_at=tx.now,
        )
        insert_upload(tx, row)
        return row.id

    return await world.transact(make)  # type: ignore[no-any-return]


class Belongings:
    """The common objects of a student and a consultant."""

    ids: dict[str, str]

    async def make(self, world: World) -> "Belongings":
        self.hour = await hour_of(world)
        self.student, waiting = await self.hour.waiting("ana")
        talking, talked = await self.hour.waiting("ben")
        for one in (self.student, self.hour.consultant, talking):
            await one.enter("/chat")
        conversation = await self.student.call("/chat", "open", user_id=self.hour.consultant.id)
        message = await self.student.call(
            "/chat", "send", conversation_id=conversation["id"], client_id="one", text="secret"
        )
        call = await self.hour.admit(talked)
        identity = identity_of(self.student.id)
        assert await world.transact(insert_identity, identity)
        self.ids = {
            "identity_id": identity.id,
            "upload_id": (upload_id := await ready_picture(world, self.student.id)),
            "picture_id": upload_id,
            "icon_id": upload_id,
            "session_id": session_id_of(self.student.token),
            "topic_id": self.hour.topic["id"],
            "block_id": self.hour.block["id"],
            "booking_id": waiting,
            "conversation_id": conversation["id"],
            "message_id": message["id"],
            "call_id": call["id"],
            "student_id": self.student.id,
        }
        for access in each_access():
            if access.make_objects:
                self.ids |= await access.make_objects(world, self.student)
        self.call = call
        return self

    async def end(self, world: World) -> None:
        """End all of them."""
        consultant = self.hour.consultant
        await consultant.call("/call", "end", call_id=self.call["id"])
        await consultant.call("/booking", "cancel", booking_id=self.ids["booking_id"])
        await self.student.call("/chat", "delete", message_id=self.ids["message_id"])
        await consultant.call("/consultants", "remove_topic", topic_id=self.ids["topic_id"])
        self.hour.move_to(61)
        await world.settle()


async def everything(world: World) -> dict[str, list[Any]]:
    """Every row of every table."""
    await until(lambda: not world.app.gate.presence._reporting)
    await world.settle()

    def rows(tx: Any) -> dict[str, list[Any]]:
        return {name: tx.all(Row, statement) for name, statement in EVERY_ROW.items()}

    return await world.read(rows)  # type: ignore[no-any-return]


async def body(person: Person, namespace: str, name: str, payload: dict[str, Any]) -> str:
    """The raw answer, without its packet number."""
    before = len(person.client.frames)
    await person.client.ask(namespace, name, payload)
    answers = [text for text in person.client.frames[before:] if text.startswith(f"43{namespace},")]
    assert len(answers) == 1
    return answers[0][answers[0].index("[") :]


@pytest.fixture
async def stranger(world):
    """A user who is both a student and a consultant, with their own hours."""
    hour = await hour_of(world, "eve")
    entered = hour.consultant.client.synced
    await hour.consultant.enter(*(name for name in NAMESPACES if name not in entered))
    return hour


@pytest.fixture
async def eve(stranger):
    return stranger.consultant


@pytest.fixture
async def belongings(world, stranger):
    return await Belongings().make(world)


@pytest.mark.parametrize("over", [False, True], ids=["while it goes on", "when it is over"])
async def test_a_stranger_cannot_tell_what_exists_and_changes_nothing(
    world, stranger, eve, belongings, over
):
    ids = {**belongings.ids, "own_block_id": stranger.block["id"], "own_id": eve.id}
    if over:
        await belongings.end(world)
    before = await everything(world)
    for (namespace, name), (field, others) in THEIRS.items():
        payload = {key: ids.get(str(value), value) for key, value in others.items()}
        theirs = await body(eve, namespace, name, {**payload, field: ids[field]})
        missing = await body(eve, namespace, name, {**payload, field: new_id(world.clock.now())})
        assert theirs == missing, (namespace, name)
        assert json.loads(theirs)[0]["error"]["code"] == "NOT_FOUND", (namespace, name)
        assert "details" not in json.loads(theirs)[0]["error"]
    assert await everything(world) == before
    for one in belongings.ids.values():
        assert not [heard for heard in eve.client.heard if one in json.dumps(heard.data)]


async def test_users_of_one_object_are_strangers_to_another(world, belongings):
    """The other student of the same block has similar objects, but none of these."""
    other, _ = await belongings.hour.waiting("cem")
    await other.enter("/call", "/chat")
    before = await everything(world)
    for namespace, name in (
        ("/booking", "get"),
        ("/booking", "cancel"),
        ("/waiting-room", "leave"),
        ("/waiting-room", "queue"),
        ("/call", "join"),
        ("/call", "end"),
        ("/chat", "history"),
        ("/chat", "delete"),
    ):
        field = THEIRS[namespace, name][0]
        theirs = await body(other, namespace, name, {field: belongings.ids[field]})
        missing = await body(other, namespace, name, {field: new_id(world.clock.now())})
        assert theirs == missing
        assert json.loads(theirs)[0]["error"]["code"] == "NOT_FOUND"
    assert await everything(world) == before


async def test_others_notifications_cannot_be_read_or_marked(world, eve, belongings):
    await world.settle()
    listed = await belongings.student.call("/notifications", "list")
    assert listed["unread"] > 0
    theirs = [one["id"] for one in listed["notifications"]]
    before = await everything(world)
    missing = await body(eve, "/notifications", "mark_read", {"ids": [new_id(world.clock.now())]})
    assert await body(eve, "/notifications", "mark_read", {"ids": theirs}) == missing
    assert await everything(world) == before
    seen = await eve.call("/notifications", "list")
    assert not {one["id"] for one in seen["notifications"]} & set(theirs)


async def test_others_rooms_are_not_entered_by_naming_them(world, eve, belongings):
    student_id, chat = belongings.student.id, f"chat:{belongings.ids['conversation_id']}"
    call = f"call:{belongings.ids['call_id']}:{student_id}"
    since = {f"user:{student_id}": 0, chat: 0, call: 0, stream("/chat", chat): 0}
    spy = await eve.device()
    for namespace in ("/booking", "/chat", "/waiting-room", "/call", "/presence", "/notifications"):
        await spy.enter(namespace, since=since)
        assert not set(spy.synced[namespace]["rooms"]) & set(since)
    await belongings.end(world)
    assert [one for one in spy.heard if one.name != "session_ended"] == []
