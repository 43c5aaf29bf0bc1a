"""An hour with a consultant: a block, students with approved bookings in it, and its clock."""

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
    """One block of a consultant and who is booked in it."""

    world: World
    consultant: Person
    topic: dict[str, Any]
    block: dict[str, Any]
    later: dict[str, Any]
    """The same hour, a week later."""

    @property
    def starts_at(self) -> datetime:
        return datetime.fromisoformat(self.block["starts_at"])

    @property
    def ends_at(self) -> datetime:
        return datetime.fromisoformat(self.block["ends_at"])

    async def booked(self, name: str) -> tuple[Person, str]:
        """A new student and the id of their approved booking."""
        student = await self.world.person(name)
        return student, await self.book(student)

    async def book(self, student: Person) -> str:
        asked = await student.call(
            "/booking", "request", block_id=self.block["id"], topic_id=self.topic["id"]
        )
        await self.consultant.call("/booking", "approve", booking_id=asked["id"])
        booking_id: str = asked["id"]
        return booking_id

    async def following(self) -> dict[str, Any]:
        """The block of the hour after this one, opened now."""
        blocks = [
            {"weekday": self.starts_at.weekday(), "hour": hour, "max_calls": 5} for hour in (13, 14)
        ]
        answer = await self.consultant.call(
            "/availability", "set_default_schedule", time_zone="UTC", blocks=blocks
        )
        starts_at = self.ends_at.isoformat().replace("+00:00", "Z")
        return next(block for block in answer["blocks"] if block["starts_at"] == starts_at)

    def move_to(self, minutes: float) -> None:
        """Let it be so many minutes after the block's start."""
        self.world.clock.move_to(self.starts_at + timedelta(minutes=minutes))

    async def waiting(self, name: str) -> tuple[Person, str]:
        """A new student who waits, and the id of their booking."""
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
        """Admit somebody who waits, talk, and end it."""
        call = await self.admit(booking_id)
        for one in (student, self.consultant):
            await one.call("/call", "join", call_id=call["id"])
        self.world.clock.advance(seconds)
        ended: dict[str, Any] = await self.consultant.call("/call", "end", call_id=call["id"])
        await self.world.settle()
        return ended


async def hour_of(world: World, name: str = "cora", max_calls: int = 5) -> Hour:
    """A consultant whose hour began a minute ago."""
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
    """The code that a command is refused with."""
    try:
        await person.call(namespace, command, **payload)
    except Refused as refused:
        code: str = refused.code or ""
        return code
    raise AssertionError(f"{command} was not refused")


async def ask_before_commit(
    database_url: str, change: str, key: str, asking: Coroutine[Any, Any, Any]
) -> Any:
    """What `asking` gives when it begins before another instance's `change` is committed.

    Whoever decides on what is just changing waits for it; only who does not is done before.
    """
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute(change, key)
            asked = asyncio.ensure_future(asking)
            await until(lambda: asked.done() or connection.fetchval(_SOMEBODY_WAITS))
        return await asked
    finally:
        await connection.close()


_SOMEBODY_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def lose_instance(world: World, instance_id: str, at: datetime) -> None:
    """Let an instance be found dead, and all be done that follows."""
    lost = InstanceLost(instance_id=instance_id, at=at)
    await world.transact(lambda tx: tx.publish(lost))
    await world.settle()
