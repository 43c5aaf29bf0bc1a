"""Marks of more than five members are published together, to those who watch them."""

import asyncio
import json

import pytest

from tests.platform.chat.crowd import gather_a_crowd
from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World, both_databases, one_database, with_server

pytestmark = pytest.mark.stopped_clock
EVERY_S = 3.0
SIZE = 300


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await world.person(name) for name in ("ana", "ben", "cleo")]


async def watch(person: Person, chat: str):
    return await person.call("/chat", "watch", conversation_id=chat)


async def mark(person: Person, chat: str, seq: int, kind: str = "read") -> None:
    await person.call("/chat", f"mark_{kind}", conversation_id=chat, seq=seq)


async def pass_time(world: World) -> None:
    """Let the marks that wait be published."""
    world.clock.advance(EVERY_S)
    await world.settle()


def heard_by(person: Person) -> list[str]:
    return [heard.name for heard in person.client.heard]


async def listed(person: Person):
    return (await person.call("/chat", "list"))["conversations"][0]


@one_database
async def test_a_message_to_a_large_group_costs_few_frames_and_one_number(world, people):
    ana, ben, cleo = people
    crowd = await gather_a_crowd(world, SIZE, *people)
    await watch(ana, crowd.chat)
    said = await say(ana, crowd.chat, "to all")
    for kind in ("delivered", "read"):
        await crowd.mark(said["seq"], kind)
        await mark(ben, crowd.chat, said["seq"], kind)
    await pass_time(world)
    read = (await listed(ana))["read"]
    assert read == len(crowd.others) + 1
    assert heard_by(ana) == ["MESSAGE_SENT", "MARKS_GATHERED"]
    assert heard_by(ben) == ["MESSAGE_SENT", "CONVERSATION_READ"], "his own mark, at once"
    assert heard_by(cleo) == ["MESSAGE_SENT"], "she does not watch the marks"
    assert len(json.dumps(ana.events("MARKS_GATHERED")[0].data)) < 200
    assert (await listed(ana))["seq"] == said["seq"]
    back = await cleo.device()
    await back.enter("/chat", since={f"chat:{crowd.chat}": said["seq"] - 1})
    assert back.synced["/chat"]["rooms"][f"chat:{crowd.chat}"]["recovered"]
    receipts = await ana.call("/chat", "receipts", message_id=said["id"])
    assert len(receipts["read"]) == len(receipts["delivered"]) == read
    assert all(one["at"] for one in receipts["read"])


async def test_marks_are_told_once_in_an_interval_to_those_who_watch_them(world, people):
    ana, *_ = people
    crowd = await gather_a_crowd(world, 40, *people)
    said = await say(ana, crowd.chat, "to all")
    state = await watch(ana, crowd.chat)
    shown = {"conversation_id": crowd.chat, "read": 0, "delivered": 0, "message_seq": said["seq"]}
    assert state == {**shown, "seq": 0}
    await crowd.mark(said["seq"], count=10)
    world.clock.advance(EVERY_S - 1)
    await crowd.mark(said["seq"], count=20)
    await world.settle()
    assert ana.events("MARKS_GATHERED") == []
    world.clock.advance(1)
    await world.settle()
    [gathered] = ana.events("MARKS_GATHERED")
    assert gathered.data == {**shown, "read": 20}
    assert (gathered.meta["room"], gathered.meta["seq"]) == (f"marks:{crowd.chat}", 1)
    assert await watch(ana, crowd.chat) == {**shown, "read": 20, "seq": 1}
    assert (await listed(ana))["marks_seq"] == 1
    await ana.call("/chat", "unwatch", conversation_id=crowd.chat)
    await crowd.mark(said["seq"])
    await pass_time(world)
    assert len(ana.events("MARKS_GATHERED")) == 1
    assert (await watch(ana, crowd.chat))["read"] == len(crowd.others)


async def test_up_to_thirty_two_members_are_told_by_name(world, people):
    ana, ben, _ = people
    crowd = await gather_a_crowd(world, 6, *people)
    said = await say(ana, crowd.chat, "to all")
    assert (await watch(ana, crowd.chat))["read"] == {}
    await mark(ben, crowd.chat, said["seq"] - 1)
    await crowd.mark(said["seq"], "delivered")
    assert (await listed(ana))["read"] == {ben.id: said["seq"] - 1}, "a fresh view has all"
    await pass_time(world)
    [gathered] = ana.events("MARKS_GATHERED")
    assert gathered.data["read"] == {ben.id: said["seq"] - 1}
    assert gathered.data["delivered"] == dict.fromkeys(crowd.others, said["seq"])
    assert gathered.data["message_seq"] is None


async def test_five_members_are_told_at_once_in_the_conversation(world, people):
    ana, ben, cleo = people
    dan, eve = await world.person("dan"), await world.person("eve")
    chat = await talk(ana, ben, cleo, dan, eve)
    said = await say(ana, chat, "to all")
    await mark(ben, chat, said["seq"])
    told = await ana.event("MESSAGE_READ")
    assert (told.meta["room"], told.meta["seq"]) == (f"chat:{chat}", said["seq"] + 1)
    assert ben.events("CONVERSATION_READ") == []
    assert "marks_seq" not in await listed(ana)


async def test_marks_that_wait_while_a_group_becomes_small_are_told_one_by_one(world, people):
    ana, ben, cleo = people
    crowd = await gather_a_crowd(world, 6, *people)
    said = await say(ana, crowd.chat, "to all")
    await mark(ben, crowd.chat, said["seq"])
    await crowd.mark(said["seq"], "delivered")
    away = {"conversation_id": crowd.chat, "user_id": crowd.others[0]}
    await ana.call("/chat", "remove_member", **away)
    removed = await cleo.event("MEMBER_REMOVED")
    assert removed.data["conversation"]["read"] == {ben.id: said["seq"]}
    assert "marks_seq" not in removed.data["conversation"]
    await pass_time(world)
    read, received = cleo.events("MESSAGE_READ"), cleo.events("MESSAGE_DELIVERED")
    assert [heard.data["user_id"] for heard in read] == [ben.id]
    assert [heard.data["user_id"] for heard in received] == crowd.others[1:]
    await mark(cleo, crowd.chat, said["seq"])
    assert (await ana.event("MESSAGE_READ", lambda data: data["user_id"] == cleo.id)).data["seq"]


async def test_a_removed_member_hears_no_more_marks(world, people):
    ana, ben, cleo = people
    crowd = await gather_a_crowd(world, 40, *people)
    said = await say(ana, crowd.chat, "to all")
    for person in (ben, cleo):
        await watch(person, crowd.chat)
    away = {"conversation_id": crowd.chat, "user_id": ben.id}
    await ana.call("/chat", "remove_member", **away)
    await crowd.mark(said["seq"] + 1)
    await pass_time(world)
    await cleo.event("MARKS_GATHERED")
    assert ben.events("MARKS_GATHERED") == []
    assert await refused(ben, "watch", conversation_id=crowd.chat) == "NOT_FOUND"


async def test_marks_of_users_without_read_receipts_stay_hidden(world, people):
    ana, ben, _ = people
    crowd = await gather_a_crowd(world, 40, *people)
    said = await say(ana, crowd.chat, "to all")
    await watch(ana, crowd.chat)
    await ben.call("/profile", "update", settings={"read_receipts": False})
    await mark(ben, crowd.chat, said["seq"])
    await pass_time(world)
    assert ana.events("MARKS_GATHERED") == []
    assert (await watch(ana, crowd.chat))["read"] == 0
    assert (await ben.event("CONVERSATION_READ")).data["seq"] == said["seq"]
    assert (await listed(ben))["unread"] == 0


async def test_returning_to_watched_marks_takes_another_watch(world, people):
    ana, _, _ = people
    crowd = await gather_a_crowd(world, 40, *people)
    said = await say(ana, crowd.chat, "to all")
    await watch(ana, crowd.chat)
    await crowd.mark(said["seq"], count=5)
    await pass_time(world)
    back = await ana.device()
    await back.enter("/chat", since={f"marks:{crowd.chat}": 0})
    assert f"marks:{crowd.chat}" not in back.synced["/chat"]["rooms"]
    state = await back.call("/chat", "watch", conversation_id=crowd.chat)
    assert (state["read"], state["seq"]) == (5, 1)


@pytest.mark.settings(PARLEY_REPLAY_STREAM_MAX="3", PARLEY_READ_MARK_EVERY_S="0")
async def test_marks_never_push_messages_out_of_a_replay(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for number in range(3):
        said = await say(ana, chat, str(number))
        for kind in ("delivered", "read"):
            await mark(ben, chat, said["seq"], kind)
    room = f"chat:{chat}"
    back, late = await ana.device(), await ana.device()
    await back.enter("/chat", since={room: 1})
    assert back.synced["/chat"]["rooms"][room]["recovered"]
    heard = [one.name for one in back.heard]
    assert heard == ["MESSAGE_SENT", "MESSAGE_DELIVERED", "MESSAGE_READ"] * 3
    await say(ana, chat, "one more")
    await late.enter("/chat", since={room: 1})
    assert not late.synced["/chat"]["rooms"][room]["recovered"]


def after(state, events):
    """The state of watched marks after events, as PROTOCOL.md tells clients to apply them."""
    for heard in events:
        if heard.name == "MARKS_GATHERED" and heard.meta["seq"] > state["seq"]:
            state = {**heard.data, "seq": heard.meta["seq"]}
        about = state["message_seq"]
        if heard.name == "MESSAGE_SENT" and about is not None and heard.meta["seq"] > about:
            state |= {"read": 0, "delivered": 0, "message_seq": heard.meta["seq"]}
    return state


@pytest.mark.parametrize("size", [6, 40])
async def test_a_snapshot_of_marks_plus_its_events_is_the_current_state(world, people, size):
    ana, ben, _ = people
    crowd = await gather_a_crowd(world, size, *people)
    states = []
    for number in range(3):
        states.append(await watch(ana, crowd.chat))
        said = await say(ana, crowd.chat, str(number))
        for kind in ("delivered", "read"):
            states.append(await watch(ana, crowd.chat))
            await crowd.mark(said["seq"], kind, count=number + 1)
            states.append(await watch(ana, crowd.chat))
            await mark(ben, crowd.chat, said["seq"], kind)
        if number:
            await pass_time(world)
    now = await watch(ana, crowd.chat)
    assert len(ana.events("MARKS_GATHERED")) == now["seq"] == 2
    for state in states:
        assert after(state, ana.client.heard) == now


@with_server
@both_databases
async def test_no_mark_is_missed_while_others_are_published(world, people):
    ana, *_ = people
    readers = [await (await world.person(f"reader{n}")).enter("/chat") for n in range(6)]
    chat = await talk(*people, *readers)
    messages = [await say(ana, chat, str(number)) for number in range(8)]
    await watch(ana, chat)
    for message in messages:
        await asyncio.gather(*[mark(reader, chat, message["seq"]) for reader in readers])
        world.clock.advance(EVERY_S)
        await world.settle()
    last = messages[-1]["seq"]
    shown = dict.fromkeys((reader.id for reader in readers), last)
    await ana.event("MARKS_GATHERED", lambda data: data["read"] == shown)
    assert (await listed(ana))["read"] == shown


@with_server
async def test_marks_that_wait_are_published_after_a_restart(world, people):
    ana, ben, _ = people
    crowd = await gather_a_crowd(world, 40, *people)
    said = await say(ana, crowd.chat, "to all")
    await mark(ben, crowd.chat, said["seq"])
    await world.restart()
    back = await ana.device()
    await back.enter("/chat")
    await back.call("/chat", "watch", conversation_id=crowd.chat)
    await pass_time(world)
    gathered = await back.event("MARKS_GATHERED")
    assert gathered.data["read"] == 1
