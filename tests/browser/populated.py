"""A world in which every text field that users can fill in contains an injection attempt."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import LinkPreview
from tests.platform.moderation.scenes import flag, moderator
from tests.world import Person, World


def xss_text(field: str) -> str:
    """A text that the tests would notice if a page ever ran it as markup or code."""
    return f"{field} \"'><script>alert(1)</script><img src=x onerror=alert(2)>${{alert(3)}}"


@dataclass(frozen=True)
class Populated:
    """The users of the world, and the ids of the objects that they created."""

    ada: Person
    ben: Person
    mo: Person
    block_id: str
    booking_id: str
    topic_id: str
    call_id: str
    direct_id: str
    group_id: str


async def populate(world: World) -> Populated:
    """Ada is a consultant, Ben a student in her waiting room, and Cleo is in a call with her.

    Ben has bookings in several states. Ada has flagged a message of his for Mo, a moderator.
    """
    ada = await _person_with_xss_names(world, "ada", consultant=True)
    ben, cleo = (
        await _person_with_xss_names(world, "ben"),
        await _person_with_xss_names(world, "cleo"),
    )
    topic = await _offer(ada)
    first, second, third, fourth, fifth = await _future_blocks(world, ada)

    details = {"topic_id": topic["id"], "note": xss_text("note")}
    waiting = await _approved(ada, ben, first, details)
    talking = await _approved(ada, cleo, first, details)
    await ben.call("/booking", "request", block_id=second["id"], **details)
    for block, person, command in ((third, ada, "reject"), (fourth, ben, "cancel")):
        booking = await ben.call("/booking", "request", block_id=block["id"], **details)
        reason = xss_text(f"{command} reason")
        await person.call("/booking", command, booking_id=booking["id"], reason=reason)

    direct, group = await _conversations(ada, ben, cleo)
    await world.transact(_add_link_previews, (await ben.call("/chat", "list"))["conversations"])
    card = {"conversation_id": direct["id"], "block_id": fifth["id"], **details}
    await ben.call("/chat", "request_booking", **card)

    await cleo.call("/waiting-room", "enter", booking_id=talking["id"])
    await ben.call("/waiting-room", "enter", booking_id=waiting["id"])
    call = await ada.call("/waiting-room", "admit", booking_id=talking["id"])
    mo = await _flagged(world, ada, direct["id"])
    await world.settle()
    return Populated(
        ada, ben, mo, first["id"], waiting["id"], topic["id"], call["id"], direct["id"], group["id"]
    )


async def _person_with_xss_names(world: World, name: str, **more: Any) -> Person:
    person = await world.person(name, **more)
    await person.call(
        "/profile",
        "update",
        first_name=xss_text(name),
        last_name=xss_text("last"),
    )
    return person


async def _offer(ada: Person) -> Any:
    await ada.call("/consultants", "update", about_me=xss_text("about"))
    return await ada.call(
        "/consultants",
        "add_topic",
        name=xss_text("topic"),
        description=xss_text("description"),
        hourly_rate={"amount": 6050, "currency": "EUR"},
        minimal_duration_minutes=15,
    )


async def _future_blocks(world: World, ada: Person) -> Any:
    """The next blocks without the current one, which could end during the test."""
    hours = [{"weekday": n // 24, "hour": n % 24, "max_calls": 2} for n in range(7 * 24)]
    await ada.call("/availability", "set_default_schedule", time_zone="UTC", blocks=hours)
    now = world.clock.now()
    span = {"from": now.isoformat(), "to": (now + timedelta(hours=6)).isoformat()}
    listed = await ada.call("/availability", "list_blocks", consultant_id=ada.id, **span)
    return listed["blocks"][1:6]


async def _approved(ada: Person, student: Person, block: Any, details: dict[str, Any]) -> Any:
    booking = await student.call("/booking", "request", block_id=block["id"], **details)
    return await ada.call("/booking", "approve", booking_id=booking["id"])


async def _conversations(ada: Person, ben: Person, cleo: Person) -> tuple[Any, Any]:
    direct = await ben.call("/chat", "open", user_id=ada.id)
    members = [ben.id, cleo.id]
    group = await ada.call("/chat", "create_group", name="Group", member_ids=members)
    await ada.call("/chat", "rename", conversation_id=group["id"], name=xss_text("group"))
    for number, (person, chat) in enumerate(((ben, direct), (ada, direct), (ada, group))):
        fields = {"client_id": str(number), "text": xss_text("text")}
        sent = await person.call("/chat", "send", conversation_id=chat["id"], **fields)
        await ada.call("/chat", "pin", message_id=sent["id"])
    draft = {"conversation_id": group["id"], "text": xss_text("draft")}
    await ada.call("/chat", "draft", **draft)
    return direct, group


async def _flagged(world: World, person: Person, chat: str) -> Person:
    """Flag the first message of a conversation; returns the moderator."""
    mo = await moderator(world, "mo")
    history = await person.call("/chat", "history", conversation_id=chat)
    await person.enter("/moderation")
    await flag(person, history["messages"][0]["id"], "other", xss_text("flag"))
    return mo


def _add_link_previews(tx: Transaction, conversations: list[Any]) -> None:
    """Add a preview of a malicious page to the last message of each conversation."""
    page = LinkPreview(
        "https://page.example/?" + xss_text("query"),
        *map(xss_text, ("page title", "page description", "page site")),
    )
    for one in conversations:
        message = chats.lock_text(tx, one["last_message"]["id"])
        assert message is not None
        chats.show_preview(tx, message, page)
