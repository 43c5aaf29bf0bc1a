"""A consultant's practice with a topic and daily hours, and a client that watches its blocks."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.wire_client import Client, Heard, Refused
from tests.world import Person, World

TOPIC = {
    "name": "Tax returns",
    "description": "What you may deduct.",
    "hourly_rate": {"amount": 9_000, "currency": "EUR"},
    "minimal_duration_minutes": 15,
}
LEAD_TIME = timedelta(days=2)


def daily(*hours: int, max_calls: int = 1) -> list[dict[str, int]]:
    """A weekly schedule with these hours on every day."""
    return [
        {"weekday": weekday, "hour": hour, "max_calls": max_calls}
        for weekday in range(7)
        for hour in hours
    ]


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def week_of(block: dict[str, Any]) -> str:
    """The ISO week in which a block begins, in UTC."""
    year, week, _ = moment_of(block["starts_at"]).isocalendar()
    return f"{year}-W{week:02d}"


async def assert_refused(work: Awaitable[Any], code: str) -> Refused:
    """Assert that `work` is refused with this code; returns the refusal."""
    with pytest.raises(Refused) as raised:
        await work
    assert raised.value.code == code
    return raised.value


class Practice:
    """A consultant, their topic, and their blocks that start more than two days from now."""

    def __init__(self, world: World, consultant: Person, topic: dict, blocks: list[dict]) -> None:
        self.world = world
        self.consultant = consultant
        self.topic = topic
        self.blocks = [
            block
            for block in blocks
            if moment_of(block["starts_at"]) > world.clock.now() + LEAD_TIME
        ]

    @property
    def room(self) -> str:
        return f"consultant:{self.consultant.id}"

    async def ask(self, student: Person, number: int = 0, **more: Any) -> Any:
        """Request a place in block `number`."""
        payload = {"block_id": self.blocks[number]["id"], "topic_id": self.topic["id"], **more}
        return await student.call("/booking", "request", **payload)

    async def booked(self, student: Person, number: int = 0) -> Any:
        """Request a place in block `number` and approve it; returns the booking."""
        booking = await self.ask(student, number)
        return await self.consultant.call("/booking", "approve", booking_id=booking["id"])

    async def join_list(self, student: Person, number: int = 0) -> Any:
        """Join the waiting list of block `number`; returns the position."""
        block_id = self.blocks[number]["id"]
        answer = await student.call("/availability", "join_waiting_list", block_id=block_id)
        return answer["position"]

    async def leave_list(self, student: Person, number: int = 0) -> None:
        """Leave the waiting list of block `number`, or decline its offer."""
        block_id = self.blocks[number]["id"]
        await student.call("/availability", "leave_waiting_list", block_id=block_id)

    async def block(self, number: int = 0) -> dict[str, Any]:
        """The current state of block `number`."""
        return await self.block_of(self.blocks[number]["id"])

    async def block_of(self, block_id: str) -> dict[str, Any]:
        blocks = (await self.list_blocks(self.consultant))["blocks"]
        return next(block for block in blocks if block["id"] == block_id)

    async def list_blocks(self, asker: Any) -> Any:
        """The blocks in the longest range that one command can list, with their `seq`."""
        start = self.world.clock.now() - timedelta(days=1)
        return await asker.call(
            "/availability",
            "list_blocks",
            consultant_id=self.consultant.id,
            **{"from": start.isoformat(), "to": (start + timedelta(days=90)).isoformat()},
        )


async def open_practice(
    world: World, name: str = "clara", hours: tuple[int, ...] = (10, 14), max_calls: int = 1
) -> Practice:
    consultant = await world.person(name, consultant=True)
    topic = await consultant.call("/consultants", "add_topic", **TOPIC)
    schedule = daily(*hours, max_calls=max_calls)
    answer = await consultant.call(
        "/availability", "set_default_schedule", time_zone="UTC", blocks=schedule
    )
    return Practice(world, consultant, topic, answer["blocks"])


def events_in(client: Client, namespace: str, room: str) -> list[Heard]:
    """The received events of one stream; asserts that their numbers are consecutive."""
    events = [e for e in client.heard if e.namespace == namespace and e.meta.get("room") == room]
    numbers = [event.meta["seq"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
    return events


async def events_up_to(client: Client, namespace: str, room: str, seq: int) -> list[Heard]:
    """Wait for number `seq` of a stream; returns its received events."""
    await client.until(
        lambda: any(e.meta["seq"] >= seq for e in events_in(client, namespace, room))
    )
    return events_in(client, namespace, room)


class Follower:
    """A client with a snapshot of a practice's blocks that it updates from events."""

    def __init__(self, practice: Practice, client: Client) -> None:
        self.practice = practice
        self.client = client

    async def start(self) -> "Follower":
        target = {"consultant_id": self.practice.consultant.id}
        self.now = await self.client.call("/availability", "watch", **target)
        self.snapshot = await self.practice.list_blocks(self.client)
        return self

    async def assert_in_sync(self) -> None:
        """Assert that the snapshot plus the events equals a fresh snapshot."""
        target = {"consultant_id": self.practice.consultant.id}
        fresh = await self.practice.list_blocks(self.client)
        fresh_now = await self.client.call("/availability", "watch", **target)
        room = self.practice.room
        if fresh_now["seq"] > self.now["seq"]:
            await events_up_to(self.client, "/availability", room, fresh_now["seq"])
        assert fresh["seq"] == fresh_now["seq"]
        blocks, available = self._replayed()
        assert blocks == fresh["blocks"]
        assert available == fresh_now["available_now"]

    def _replayed(self) -> tuple[list[dict], bool]:
        blocks = {block["id"]: block for block in self.snapshot["blocks"]}
        available = self.now["available_now"]
        for event in events_in(self.client, "/availability", self.practice.room):
            if event.name == "AVAILABLE_NOW_STATUS_CHANGED":
                available = event.data["available"]
            elif event.name != "BOOKING_TERMS_SET" and event.meta["seq"] > self.snapshot["seq"]:
                changed = event.data["blocks"] if "blocks" in event.data else [event.data["block"]]
                blocks.update({block["id"]: block for block in changed})
        return sorted(blocks.values(), key=lambda block: block["starts_at"]), available


async def follow(practice: Practice) -> Follower:
    """Let a visitor watch the practice; returns the follower."""
    visitor = await practice.world.visitor("/availability")
    return await Follower(practice, visitor).start()
