"""Concurrent changes to one message wait for each other without deadlocks."""

import asyncio

import pytest
from sqlalchemy import func, select, text

from handlers.platform.chat.contracts.messages import LinkPreview
from handlers.platform.chat.public import hide, lock_text, show_preview
from handlers.platform.chat.service import marks
from storage.platform.chat import conversations
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from tests.platform.chat.scenes import offer, rows_with, say, talk
from tests.world import both_databases, until

pytestmark = both_databases

HEART = "\u2764\ufe0f"
DEADLOCK_AFTER_S = 8
"""PostgreSQL looks for a deadlock after this time, and then aborts one of the transactions."""
WITHIN_S = 5
"""Less than `DEADLOCK_AFTER_S`, so that a deadlock fails the test."""
LOCKS = (
    (conversations, "lock_conversation"),
    (chat_members, "hold_membership"),
    (chat_messages, "lock_message"),
)


@pytest.fixture
def slow_locks(monkeypatch):
    """Each transaction pauses after it takes a lock, so that the other can take its first one."""

    def pausing(lock):
        def lock_and_pause(tx, *args):
            if tx.dialect == "postgresql":
                tx.run(text(f"SET LOCAL deadlock_timeout = '{DEADLOCK_AFTER_S}s'"))
            found = lock(tx, *args)
            if tx.dialect == "postgresql":
                tx.scalar(select(func.pg_sleep(0.1)))
            return found

        return lock_and_pause

    for module, name in LOCKS:
        monkeypatch.setattr(module, name, pausing(getattr(module, name)))


@pytest.mark.parametrize("command", ["react", "pin"])
async def test_an_edit_and_a_concurrent_reaction_or_pin_do_not_deadlock(world, slow_locks, command):
    ana = await (await world.person("ana")).enter("/chat")
    ben = await world.person("ben")
    chat = await talk(ana, ben)
    phone = await (await ana.device()).enter("/chat")
    said = {"message_id": (await say(ana, chat, "said"))["id"]}
    more = {"emoji": HEART} if command == "react" else {}
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(
            ana.call("/chat", "edit", **said, text="edited"),
            phone.call("/chat", command, **said, **more),
        )


async def test_a_link_preview_and_a_concurrent_pin_do_not_deadlock(world, slow_locks):
    ana = await (await world.person("ana")).enter("/chat")
    chat = await talk(ana, await world.person("ben"))
    message_id = (await say(ana, chat, "https://example.org"))["id"]
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(
            ana.call("/chat", "pin", message_id=message_id),
            world.transact(show_link_preview, message_id),
        )
    assert (await ana.call("/chat", "get", message_id=message_id))["preview"] is not None


async def test_a_repeated_send_does_not_store_text_that_is_being_hidden(world, monkeypatch):
    ana = await (await world.person("ana")).enter("/chat")
    chat = await talk(ana, await world.person("ben"))
    said = await say(ana, chat, "a secret", "one")
    find, pauses = chat_messages.find_sent, []

    def find_and_pause(tx, *args):
        found = find(tx, *args)
        pauses.append(found)
        if tx.dialect == "postgresql":
            tx.scalar(select(func.pg_sleep(0.3)))
        return found

    monkeypatch.setattr(chat_messages, "find_sent", find_and_pause)
    again = {"conversation_id": chat, "client_id": "one", "text": "a secret", "request_id": "r"}
    sending = asyncio.ensure_future(ana.call("/chat", "send", **again))
    await until(lambda: pauses)
    await asyncio.gather(world.transact(hide, said["id"]), sending)
    assert await rows_with(world, "a secret") == ["messages"]


async def test_a_card_that_is_hidden_while_its_booking_changes_stays_hidden(world, monkeypatch):
    ana = await (await world.person("ana")).enter("/chat")
    ben = await (await world.person("ben", consultant=True)).enter("/chat")
    shop, chat = await offer(world, ben), await talk(ana, ben)
    booking = await ana.call("/chat", "request_booking", conversation_id=chat, **shop.ask())
    card = (await ben.event("MESSAGE_SENT")).data["message"]
    find, pauses = chat_messages.list_cards, []

    def find_and_pause(tx, *args):
        found = find(tx, *args)
        pauses.append(found)
        if tx.dialect == "postgresql":
            tx.scalar(select(func.pg_sleep(0.3)))
        return found

    monkeypatch.setattr(chat_messages, "list_cards", find_and_pause)
    await ben.call("/booking", "approve", booking_id=booking["id"])
    await until(lambda: pauses)
    await world.transact(hide, card["id"])
    await world.settle()
    hidden = await ben.call("/chat", "get", message_id=card["id"])
    assert (hidden["hidden"], hidden["card"]) == (True, None)


async def test_marks_are_published_after_a_mark_that_found_the_timer_set(world, monkeypatch):
    people = [await (await world.person(f"p{n}")).enter("/chat") for n in range(6)]
    ana, ben, cleo, *_ = people
    chat = await talk(*people)
    here = {"conversation_id": chat, "seq": (await say(ana, chat, "said"))["seq"]}
    await ana.call("/chat", "watch", conversation_id=chat)
    await ben.call("/chat", "mark_read", **here)
    gather, pauses = marks.gather, []

    def gather_and_pause(tx, conversation_id):
        gather(tx, conversation_id)
        pauses.append(conversation_id)
        if tx.dialect == "postgresql":
            tx.scalar(select(func.pg_sleep(0.3)))

    monkeypatch.setattr(marks, "gather", gather_and_pause)
    marking = asyncio.ensure_future(cleo.call("/chat", "mark_read", **here))
    await until(lambda: pauses)
    world.clock.advance(5)
    await world.app.timers.fire()
    await marking
    readers = {ben.id, cleo.id}
    await ana.event("MARKS_GATHERED", lambda data: {*data["read"]} == readers, WITHIN_S)


def show_link_preview(tx, message_id):
    message = lock_text(tx, message_id)
    show_preview(tx, message, LinkPreview("https://example.org/", "A title", None, None))
