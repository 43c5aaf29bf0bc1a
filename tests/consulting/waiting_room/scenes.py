"""A consultant's block, its students with approved bookings, and helpers for races and crashes."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from handlers.kit.life import InstanceLost
from tests.wire_client import Refused
from tests.world import Person, World, add_topic, until

ROOM = "/waiting-room"


@dataclass
class Hour:
    """A block of a consultant, in which students can be booked and wait."""

    world: World
    consultant: Person
    topic: dict[str, Any]
    block: dict[str, Any]
    next_week: dict[str, Any]
    """The block at the same time a week later."""

    @property
    def starts_at(self) -> datetime:
        return datetime.fromisoformat(self.block["starts_at"])

    @property
    def ends_at(self) -> datetime:
        return datetime.fromisoformat(self.block["ends_at"])

    async def booked(self, name: str) -> tuple[Person, str]:
        """Create a student with an approved booking; returns both, the booking as its id."""
        student = await self.world.person(name)
        return student, await self.book(student)

    async def book(self, student: Person) -> str:
        booking = await student.call(
            "/booking", "request", block_id=self.block["id"], topic_id=self.topic["id"]
        )
        await self.consultant.call("/booking", "approve", booking_id=booking["id"])
        booking_id: str = booking["id"]
        return booking_id

    async def next_block(self) -> dict[str, Any]:
        """Add the following hour to the schedule; returns its block."""
        blocks = [
            {"weekday": self.starts_at.weekday(), "hour": hour, "max_calls": 5} for hour in (13, 14)
        ]
        answer = await self.consultant.call(
            "/availability", "set_default_schedule", time_zone="UTC", blocks=blocks
        )
        starts_at = self.ends_at.isoformat().replace("+00:00", "Z")
        return next(block for block in answer["blocks"] if block["starts_at"] == starts_at)

    def move_to(self, minutes: float) -> None:
        """Set the clock to this many minutes after the block's start."""
        self.world.clock.move_to(self.starts_at + timedelta(minutes=minutes))

    async def waiting(self, name: str) -> tuple[Person, str]:
        """Create a student in the waiting room; returns them and the id of their booking."""
        student, booking_id = await self.booked(name)
        await student.call(ROOM, "enter", booking_id=booking_id)
        return student, booking_id

    async def queue(self) -> list[dict[str, Any]]:
        answer = await self.consultant.call(ROOM, "queue", block_id=self.block["id"])
        places: list[dict[str, Any]] = answer["places"]
        return places

    async def waiting_ids(self) -> list[str]:
        return [place["booking_id"] for place in await self.queue()]

    async def admit(self, booking_id: str) -> dict[str, Any]:
        call: dict[str, Any] = await self.consultant.call(ROOM, "admit", booking_id=booking_id)
        return call

    async def hold_a_call(self, student: Person, booking_id: str, seconds: float) -> dict[str, Any]:
        """Admit a waiting student, hold a call of this length, and end it."""
        call = await self.admit(booking_id)
        for person in (student, self.consultant):
            await person.call("/call", "join", call_id=call["id"])
        self.world.clock.advance(seconds)
        ended: dict[str, Any] = await self.consultant.call("/call", "end", call_id=call["id"])
        await self.world.settle()
        return ended


async def hour_of(world: World, name: str = "cora", max_calls: int = 5) -> Hour:
    """Create a consultant whose block started a minute ago."""
    consultant = await world.person(name, consultant=True)
    topic = await add_topic(consultant)
    day = world.clock.now() + timedelta(days=1)
    answer = await consultant.call(
        "/availability",
        "set_default_schedule",
        time_zone="UTC",
        blocks=[{"weekday": day.weekday(), "hour": 13, "max_calls": max_calls}],
    )
    hour = Hour(world, consultant, topic, *answer["blocks"][:2])
    hour.move_to(1)
    return hour


async def refusal_of(person: Person, namespace: str, command: str, **payload: Any) -> str:
    """The code of a command's refusal; fails if the command succeeds."""
    try:
        await person.call(namespace, command, **payload)
    except Refused as refused:
        code: str = refused.code or ""
        return code
    raise AssertionError(f"{command} was not refused")


async def ask_before_commit(
    database_url: str, change: str, key: str, asking: Coroutine[Any, Any, Any]
) -> Any:
    """The result of `asking`, started before another transaction commits `change`.

    The change is committed as soon as `asking` waits for a lock, or is done without waiting.
    """
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute(change, key)
            asked = asyncio.ensure_future(asking)
            await until(lambda: asked.done() or connection.fetchval(_ANY_LOCK_WAIT))
        return await asked
    finally:
        await connection.close()


_ANY_LOCK_WAIT = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def lose_instance(world: World, instance_id: str, at: datetime) -> None:
    """Publish that an instance is dead, and wait until all consumers have processed it."""
    lost = InstanceLost(instance_id=instance_id, at=at)
    await world.transact(lambda tx: tx.publish(lost))
    await world.settle()
