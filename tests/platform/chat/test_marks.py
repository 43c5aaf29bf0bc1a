"""Read and delivery marks only increase, and their events are throttled."""

import asyncio

import pytest

from tests.platform.chat.scenes import say, talk
from tests.wire_client import Refused
from tests.world import Person, both_databases

INTERVAL_S = 30
pytestmark = pytest.mark.settings(PARLEY_READ_MARK_EVERY_S=str(INTERVAL_S))


@pytest.fixture
async def people(world) -> list[Person]:
    return [await world.person(name) for name in ("ana", "ben")]


async def mark(person: Person, conversation_id: str, seq: object, kind: str = "read"):
    return await person.call("/chat", f"mark_{kind}", conversation_id=conversation_id, seq=seq)


def marks(person: Person, name: str = "MESSAGE_READ") -> list[tuple[str, int]]:
    return [(heard.data["user_id"], heard.data["seq"]) for heard in person.events(name)]


async def listed(person: Person):
    return (await person.call("/chat", "list"))["conversations"][0]


@pytest.mark.parametrize(
    ("kind", "name"), [("read", "MESSAGE_READ"), ("delivered", "MESSAGE_DELIVERED")]
)
async def test_the_first_mark_is_published_at_once_and_later_ones_are_throttled(
    world, people, kind, name
):
    ana, ben = people
    chat = await talk(ana, ben)
    for text in "abcd":
        await say(ana, chat, text)
    assert await mark(ben, chat, 2, kind) == {}
    first = await ana.event(name)
    assert first.data == {"conversation_id": chat, "user_id": ben.id, "seq": 2}
    assert (first.meta["room"], first.meta["seq"]) == (f"chat:{chat}", 6)
    for seq in (3, 5, 4, 5, 1):
        await mark(ben, chat, seq, kind)
    await world.settle()
    assert await listed(ana) | {kind: {ben.id: 2}} == await listed(ana)
    assert marks(ana, name) == [(ben.id, 2)]
    world.clock.advance(INTERVAL_S)
    await world.settle()
    await ana.client.until(lambda: len(marks(ana, name)) == 2)
    assert marks(ana, name) == [(ben.id, 2), (ben.id, 5)]
    assert (await listed(ana))[kind] == {ben.id: 5}
    world.clock.advance(INTERVAL_S)
    await world.settle()
    await mark(ben, chat, 4, kind)
    await mark(ben, chat, 6, kind)
    await ana.client.until(lambda: len(marks(ana, name)) == 3)
    assert marks(ana, name)[-1] == (ben.id, 6), "a lower one was never told"
    assert len(await world.stored(name)) == 3


async def test_each_user_and_kind_of_mark_is_throttled_separately(people):
    ana, ben = people
    chat = await talk(ana, ben)
    await say(ana, chat, "a")
    for person in people:
        for kind in ("delivered", "read"):
            await mark(person, chat, 2, kind)
    await ana.client.until(lambda: len(marks(ana)) == 2)
    assert marks(ana) == marks(ana, "MESSAGE_DELIVERED") == [(ana.id, 2), (ben.id, 2)]


@both_databases
async def test_concurrent_marks_of_several_devices_only_increase(world, people):
    ana, ben = people
    chat = await talk(ana, ben)
    for text in "abcdefgh":
        await say(ana, chat, text)
    devices = [await (await ben.device()).enter("/chat") for _ in range(8)]
    await asyncio.gather(
        *[
            device.call("/chat", "mark_read", conversation_id=chat, seq=9 - number)
            for number, device in enumerate(devices)
        ]
    )
    assert (await listed(ben))["unread"] == 0
    world.clock.advance(INTERVAL_S)
    await world.settle()
    published = [one["seq"] for one in await world.stored("MESSAGE_READ")]
    assert published == sorted(set(published))
    assert len(published) <= 2
    assert published[-1] == 9
    await ana.event("MESSAGE_READ", lambda data: data["seq"] == 9)


async def test_unread_counts_follow_marks_at_once_and_invalid_numbers_are_refused(people):
    ana, ben = people
    chat = await talk(ana, ben)
    for text in "abc":
        await say(ana, chat, text)
    assert (await listed(ben))["unread"] == 3
    await mark(ben, chat, 2)
    assert (await listed(ben))["unread"] == 2
    await mark(ben, chat, 4)  # the event is throttled, the count is not
    assert (await listed(ben))["unread"] == 0
    for seq in (99, -1, "4", None):
        with pytest.raises(Refused) as refused:
            await mark(ben, chat, seq)
        assert refused.value.code == "INVALID"
        assert refused.value.error["details"]["path"] == "$.seq"
    assert (await listed(ben))["unread"] == 0


async def test_a_pending_mark_of_a_former_member_is_not_published(world, people):
    ana, ben = people
    cleo = await world.person("cleo")
    chat = await talk(ana, ben, cleo)
    for text in "abc":
        await say(ana, chat, text)
    await mark(ben, chat, 2)
    await mark(ben, chat, 4)
    await ben.call("/chat", "leave", conversation_id=chat)
    assert (await listed(ana))["read"] == {}
    world.clock.advance(INTERVAL_S)
    await world.settle()
    await say(ana, chat, "d")
    await ana.event("MESSAGE_SENT", lambda data: data["message"]["text"] == "d")
    assert marks(ana) == [(ben.id, 2)]


async def test_a_large_group_only_counts_who_read_and_received_the_newest_message(world, people):
    ana, ben = people
    others = [await world.person(f"p{number}") for number in range(31)]
    chat = await talk(ana, ben, *others)
    assert len((await listed(ana))["member_ids"]) == 33
    await say(ana, chat, "a")
    newest = (await say(ana, chat, "b"))["seq"]
    assert ((await listed(ana))["read"], (await listed(ana))["delivered"]) == (0, 0)
    await mark(others[1], chat, newest - 1)
    for person in (ben, others[0]):
        await mark(person, chat, newest)
    await mark(ben, chat, newest, "delivered")
    assert ((await listed(ana))["read"], (await listed(ana))["delivered"]) == (2, 1)
    await say(ana, chat, "c")
    assert (await listed(ana))["read"] == 0
    removed = await ana.call("/chat", "remove_member", conversation_id=chat, user_id=others[0].id)
    assert isinstance(removed["read"], dict), "32 are told by person"
