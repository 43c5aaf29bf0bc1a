"""Two people and the call between them."""

from dataclasses import dataclass, field
from typing import Any

from storage.consulting.call import list_stays
from tests.consulting.waiting_room.scenes import Hour, hour_of
from tests.wire_client import Client
from tests.world import Person, World, until

CALL = "/call"


@dataclass
class Talk:
    """A call that was just initiated, and its two parties."""

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
    def parties(self) -> tuple[Person, Person]:
        return self.student, self.consultant

    @property
    def id(self) -> str:
        call_id: str = self.call["id"]
        return call_id

    async def join(self, *people: Person) -> Any:
        """The call, as the last of them was answered."""
        for one in people or self.parties:
            answer = await one.call(CALL, "join", call_id=self.id)
        return answer

    async def joined_device(self, person: Person) -> Client:
        """One more device of somebody, in the call."""
        device = await person.device()
        await device.enter(CALL)
        await device.call(CALL, "join", call_id=self.id)
        return device

    async def lose(self, client: Client) -> None:
        """Let a connection be lost, and wait until the server knows."""
        here = await self.open_stays()
        await client.close()
        await until(lambda: self._fewer(here))

    async def open_stays(self) -> int:
        """How many devices are in the call."""
        stays = await self.world.read(list_stays, self.id)
        return len([stay for stay in stays if stay.left_at is None])

    async def _fewer(self, than: int) -> bool:
        return await self.open_stays() < than

    async def later(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        await self.world.settle()

    async def state(self) -> Any:
        """The call as it is now, as somebody sees it who changes nothing by asking."""
        return (await self.world.stored("CALL_ENDED"))[-1]["call"]

    async def booking(self) -> Any:
        return await self.student.call("/booking", "get", booking_id=self.booking_id)

    def heard(self, person: Person) -> list[str]:
        """What a person heard about calls, in its order."""
        return [
            one.name.removeprefix("CALL_")
            for one in person.client.heard
            if one.namespace == CALL and one.name != "signal"
        ]


async def talk_of(world: World, student: str = "ana") -> Talk:
    """A student who waited was admitted; both are in /call, nobody has joined.

    From here on time goes by what the test says alone: seconds are counted.
    """
    hour = await hour_of(world)
    person, booking_id = await hour.waiting(student)
    for one in (person, hour.consultant):
        await one.enter(CALL)
    world.clock.stop()
    return Talk(hour, person, booking_id, await hour.admit(booking_id))
