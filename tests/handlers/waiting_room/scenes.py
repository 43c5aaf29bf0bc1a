"""An hour with a consultant: a block, students with approved bookings in it, and its clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.wire_client import Refused
from tests.world import Person, World

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
    topic = await consultant.call(
        "/consultants",
        "add_topic",
        name="Taxes",
        description="",
        hourly_rate={"amount": 6000, "currency": "EUR"},
        minimal_duration_minutes=10,
    )
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
