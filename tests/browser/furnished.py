"""A world in which everything that people may write is written, and is a payload."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import LinkPreview
from tests.platform.moderation.scenes import flag, moderator
from tests.world import Person, World


def poison(field: str) -> str:
    """A text that would tell on itself, were it ever taken for markup or for code."""
    return f"{field} \"'><script>alert(1)</script><img src=x onerror=alert(2)>${{alert(3)}}"


@dataclass(frozen=True)
class Furnished:
    """The people of it, and the ids of what they made."""

    ada: Person
    ben: Person
    mo: Person
    block_id: str
    booking_id: str
    topic_id: str
    call_id: str
    direct_id: str
    group_id: str


async def furnish(world: World) -> Furnished:
    """Ada consults; Ben has a booking of each kind and waits; Cleo is in the call before him.

    Ada has flagged what Ben wrote, for Mo to look at.
    """
    ada = await _poisoned(world, "ada", consultant=True)
    ben, cleo = await _poisoned(world, "ben"), await _poisoned(world, "cleo")
    topic = await _offer(ada)
    first, second, third, fourth, fifth = await _coming_blocks(world, ada)

    asked = {"topic_id": topic["id"], "note": poison("note")}
    waiting = await _approved(ada, ben, first, asked)
    talking = await _approved(ada, cleo, first, asked)
    await ben.call("/booking", "request", block_id=second["id"], **asked)
    for block, person, command in ((third, ada, "reject"), (fourth, ben, "cancel")):
        booking = await ben.call("/booking", "request", block_id=block["id"], **asked)
        reason = poison(f"{command} reason")
        await person.call("/booking", command, booking_id=booking["id"], reason=reason)

    direct, group = await _conversations(ada, ben, cleo)
    await world.transact(_show_a_page, (await ben.call("/chat", "list"))["conversations"])
    card = {"conversation_id": direct["id"], "block_id": fifth["id"], **asked}
    await ben.call("/chat", "request_booking", **card)

    await cleo.call("/waiting-room", "enter", booking_id=talking["id"])
    await ben.call("/waiting-room", "enter", booking_id=waiting["id"])
    call = await ada.call("/waiting-room", "admit", booking_id=talking["id"])
    mo = await _flagged(world, ada, direct["id"])
    await world.settle()
    return Furnished(
        ada, ben, mo, first["id"], waiting["id"], topic["id"], call["id"], direct["id"], group["id"]
    )


async def _poisoned(world: World, name: str, **more: Any) -> Person:
    person = await world.person(name, **more)
    await person.call(
        "/profile",
        "update",
        first_name=poison(name),
        last_name=poison("last"),
    )
    return person


async def _offer(ada: Person) -> Any:
    await ada.call("/consultants", "update", about_me=poison("about"))
    return await ada.call(
        "/consultants",
        "add_topic",
        name=poison("topic"),
        description=poison("description"),
        hourly_rate={"amount": 6050, "currency": "EUR"},
        minimal_duration_minutes=15,
    )


async def _coming_blocks(world: World, ada: Person) -> Any:
    """Not the one that runs now: it could end meanwhile."""
    hours = [{"weekday": n // 24, "hour": n % 24, "max_calls": 2} for n in range(7 * 24)]
    await ada.call("/availability", "set_default_schedule", time_zone="UTC", blocks=hours)
    now = world.clock.now()
    span = {"from": now.isoformat(), "to": (now + timedelta(hours=6)).isoformat()}
    listed = await ada.call("/availability", "list_blocks", consultant_id=ada.id, **span)
    return listed["blocks"][1:6]


async def _approved(ada: Person, student: Person, block: Any, asked: dict[str, Any]) -> Any:
    booking = await student.call("/booking", "request", block_id=block["id"], **asked)
    return await ada.call("/booking", "approve", booking_id=booking["id"])


async def _conversations(ada: Person, ben: Person, cleo: Person) -> tuple[Any, Any]:
    direct = await ben.call("/chat", "open", user_id=ada.id)
    members = [ben.id, cleo.id]
    group = await ada.call("/chat", "create_group", name="Group", member_ids=members)
    await ada.call("/chat", "rename", conversation_id=group["id"], name=poison("group"))
    for number, (person, chat) in enumerate(((ben, direct), (ada, direct), (ada, group))):
        said = {"client_id": str(number), "text": poison("text")}
        sent = await person.call("/chat", "send", conversation_id=chat["id"], **said)
        await ada.call("/chat", "pin", message_id=sent["id"])
    draft = {"conversation_id": group["id"], "text": poison("draft")}
    await ada.call("/chat", "draft", **draft)
    return direct, group


async def _flagged(world: World, person: Person, chat: str) -> Person:
    """The moderator who finds the first text of a conversation flagged."""
    mo = await moderator(world, "mo")
    said = await person.call("/chat", "history", conversation_id=chat)
    await person.enter("/moderation")
    await flag(person, said["messages"][0]["id"], "other", poison("flag"))
    return mo


def _show_a_page(tx: Transaction, conversations: list[Any]) -> None:
    """With the last message of each, as a page with a foul tongue would have it."""
    page = LinkPreview(
        "https://page.example/?" + poison("query"),
        *map(poison, ("page title", "page description", "page site")),
    )
    for one in conversations:
        message = chats.lock_text(tx, one["last_message"]["id"])
        assert message is not None
        chats.show_preview(tx, message, page)
