"""A call and its two participants."""

from dataclasses import dataclass, field
from typing import Any

from storage.consulting.call.calls import list_stays
from tests.consulting.waiting_room.scenes import Hour, hour_of
from tests.wire_client import Client
from tests.world import Person, World, until

CALL = "/call"


@dataclass
class Talk:
    """An initiated call, its booking and its two participants."""

    hour: Hour
    student: Person
    booking_id: str
    call: dict[str, Any]
    devices: list[Client] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.hour.world

    @property
    def consultant(self) -> Person:
        return self.hour.consultant

    @property
    def participants(self) -> tuple[Person, Person]:
        return self.student, self.consultant

    @property
    def id(self) -> str:
        call_id: str = self.call["id"]
        return call_id

    async def join(self, *users: Person) -> Any:
        """Let these users join, by default both participants; returns the last answer."""
        for user in users or self.participants:
            answer = await user.call(CALL, "join", call_id=self.id)
        return answer

    async def join_device(self, person: Person) -> Client:
        """Connect one more device of a user and join the call with it."""
        device = await person.device()
        await device.enter(CALL)
        await device.call(CALL, "join", call_id=self.id)
        return device

    async def disconnect(self, client: Client) -> None:
        """Close a connection, and wait until the server has ended its stay."""
        before = await self.open_stays()
        await client.close()
        await until(lambda: self._has_fewer_stays(before))

    async def open_stays(self) -> int:
        """The number of devices in the call."""
        stays = await self.world.read(list_stays, self.id)
        return len([stay for stay in stays if stay.left_at is None])

    async def _has_fewer_stays(self, count: int) -> bool:
        return await self.open_stays() < count

    async def advance(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        await self.world.settle()

    async def state(self) -> Any:
        """The call of the last `CALL_ENDED` event."""
        return (await self.world.stored("CALL_ENDED"))[-1]["call"]

    async def booking(self) -> Any:
        return await self.student.call("/booking", "get", booking_id=self.booking_id)

    def call_events(self, person: Person) -> list[str]:
        """The names of the call events that a user received, in order, without `CALL_`."""
        return [
            event.name.removeprefix("CALL_")
            for event in person.client.heard
            if event.namespace == CALL and event.name != "signal"
        ]


async def talk_of(world: World, student: str = "ana") -> Talk:
    """Admit a waiting student; both participants are connected to /call, neither has joined.

    Stops the clock, so that tests can compare exact seconds.
    """
    hour = await hour_of(world)
    person, booking_id = await hour.waiting(student)
    for user in (person, hour.consultant):
        await user.enter(CALL)
    world.clock.stop()
    return Talk(hour, person, booking_id, await hour.admit(booking_id))
