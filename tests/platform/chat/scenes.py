"""Shortcuts for conversations with members and messages, and for a consultant with open blocks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from storage.engine.columns import metadata
from tests.wire_client import Refused
from tests.world import Person, World, add_topic

FOREVER = {weekday: range(24) for weekday in range(7)}


async def talk(*people: Person) -> Any:
    """Open a direct conversation, or a group for more than two; enter /chat; return its id."""
    for one in people:
        if "/chat" not in one.client.synced:
            await one.enter("/chat")
    first, *others = people
    if len(others) == 1:
        return (await first.call("/chat", "open", user_id=others[0].id))["id"]
    ids = [one.id for one in others]
    return (await first.call("/chat", "create_group", name="Group", member_ids=ids))["id"]


async def say(person: Person, conversation_id: str, text: str, client_id: str = "") -> Any:
    """Send a message and return its view; the client id defaults to the text."""
    return await person.call(
        "/chat", "send", conversation_id=conversation_id, client_id=client_id or text, text=text
    )


async def texts(person: Person, conversation_id: str, **page: Any) -> list[str]:
    """The texts in the history that a person sees, without system notes."""
    found = await person.call("/chat", "history", conversation_id=conversation_id, **page)
    return [one["text"] for one in found["messages"] if one["kind"] != "system"]


async def notes(person: Person, conversation_id: str) -> list[tuple[str, str, Any]]:
    """The system notes in the history of a group, as `(kind, user id, data)`."""
    found = await person.call("/chat", "history", conversation_id=conversation_id)
    cards = [one["card"] for one in found["messages"] if one["kind"] == "system"]
    return [(card["kind"], card["id"], card["data"]) for card in cards]


async def refused(person: Person, command: str, **payload: Any) -> str | None:
    """The code of the refusal of a /chat command, or None if it succeeds."""
    try:
        await person.call("/chat", command, **payload)
    except Refused as error:
        return error.code
    return None


async def rows_with(world: World, word: str) -> list[str]:
    """The names of the tables that contain a text."""

    def search(tx: Any) -> list[str]:
        tables = metadata.sorted_tables
        return [table.name for table in tables if word in repr(tx.all(row, select(table)))]

    def row(*values: Any) -> Any:
        return values

    found: list[str] = await world.read(search)
    return found


@dataclass
class Offer:
    """A consultant's topic and future blocks."""

    topic: dict[str, Any]
    blocks: list[dict[str, Any]]

    def ask(self, block: int = 0) -> dict[str, Any]:
        """The fields of a booking request for a block."""
        return {"block_id": self.blocks[block]["id"], "topic_id": self.topic["id"]}


async def offer(world: World, consultant: Person, max_calls: int = 1) -> Offer:
    """Let a consultant offer a topic at every hour from now on."""
    topic = await add_topic(consultant)
    hours = [
        {"weekday": weekday, "hour": hour, "max_calls": max_calls}
        for weekday, hours in FOREVER.items()
        for hour in hours
    ]
    await consultant.call("/availability", "set_default_schedule", time_zone="UTC", blocks=hours)
    now = world.clock.now()
    span = {"from": now.isoformat(), "to": (now + timedelta(days=1)).isoformat()}
    listed = await consultant.call(
        "/availability", "list_blocks", consultant_id=consultant.id, **span
    )
    return Offer(topic, listed["blocks"][1:])
