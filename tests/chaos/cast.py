"""The participants: users with devices, their conversations, and consultants with hours to book."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from server.fixture import make_users
from server.operator import with_app
from server.settings import Settings
from tests.chaos.device import Device, Kind
from tests.chaos.line import Way
from tests.chaos.records import Asked, Records

OFFERING = ("/consultants", "/availability")
GOING = ("/chat", "/presence")
CONSULTANTS = 2
BLOCKS_RACED_FOR = 3
PLACES = 2
WATCHERS = 5
_CONSULTANT = {
    "about_me": "I am asked by many at once.",
    "languages": ["en"],
    "country": "PT",
    "time_zone": "UTC",
}
_TOPIC = {
    "name": "Patience",
    "description": "How to wait.",
    "hourly_rate": {"amount": 6000, "currency": "EUR"},
    "minimal_duration_minutes": 10,
}


@dataclass(eq=False)
class Person:
    """A user with one or two devices."""

    id: str
    name: str
    devices: list[Device]
    own: list[tuple[str, str]] = field(default_factory=list)
    """(conversation, message) that they sent and have not deleted."""
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def new_id(self) -> str:
        """An id that this user has not used yet, for a request or a message."""
        return f"{self.name} {next(self._ids)}"

    @property
    def device(self) -> Device:
        return self.devices[0]

    @property
    def there(self) -> bool:
        return any(device.there for device in self.devices)

    def away(self) -> list[tuple[datetime, datetime]]:
        """The times when none of their devices was connected."""
        return gaps([span for device in self.devices for span in device.spans])


@dataclass(frozen=True)
class Conversation:
    """One conversation; the creator of a group adds and removes members."""

    id: str
    members: tuple[Person, ...]
    direct: bool = False


@dataclass(frozen=True)
class Practice:
    """A consultant with a few hours that many users request."""

    consultant: Person
    topic_id: str
    block_ids: tuple[str, ...]


@dataclass
class Cast:
    """All users, by their roles in a run."""

    people: list[Person]
    consultants: list[Person]
    students: list[Person]
    goers: list[Person]
    """Users who connect and disconnect."""
    conversations: list[Conversation] = field(default_factory=list)
    changing: list[Conversation] = field(default_factory=list)
    """Groups whose members change."""
    everybody: Conversation | None = None
    practices: list[Practice] = field(default_factory=list)

    @property
    def devices(self) -> list[Device]:
        return [device for person in self.people for device in person.devices]

    @property
    def stayers(self) -> list[Person]:
        return [person for person in self.people if person not in self.goers]

    def conversations_of(self, person: Person) -> list[Conversation]:
        return [one for one in self.conversations if person in one.members]


def gaps(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The gaps between time spans, which may overlap, and the time after the last one."""
    found = []
    until = None
    for began, ended in sorted(spans):
        if until is not None and began > until:
            found.append((until, began))
        until = ended if until is None else max(until, ended)
    return found if until is None else [*found, (until, until + timedelta(days=1))]


async def make_people(settings: Settings, count: int) -> list[tuple[str, str]]:
    """Create users in a database without instances; returns `(user id, access token)` of each."""
    return await with_app(
        settings, lambda app: app.context().transact(make_users, list(range(count)))
    )


def assign(
    made: Sequence[tuple[str, str]], ways: Sequence[Way], records: Records, seed: str
) -> Cast:
    """Give each user devices: WebSocket or polling, one or two, some with presence watches."""
    ids = tuple(user_id for user_id, _ in made)
    first_goer = len(made) - len(made) // 6
    people = []
    for number, (user_id, token) in enumerate(made):
        kinds = _kinds(number, number >= first_goer, ids)
        devices = [
            Device(f"person-{number}-device-{n}", user_id, token, kind, ways, records, seed)
            for n, kind in enumerate(kinds)
        ]
        people.append(Person(user_id, f"person-{number}", devices))
    students = people[CONSULTANTS : CONSULTANTS + len(made) // 3]
    return Cast(people, people[:CONSULTANTS], students, people[first_goer:])


def _kinds(number: int, goes: bool, ids: tuple[str, ...]) -> list[Kind]:
    if goes:
        return [Kind(GOING)]
    watched = ids if number < WATCHERS else ()
    namespaces = (*Kind().namespaces, *(OFFERING if number < CONSULTANTS else ()))
    first = Kind(namespaces, polling=number % 7 == 4, watches_people=watched)
    if number % 6 != 5:
        return [first]
    second = Kind((*namespaces, "/availability"), watches_consultant=ids[0])
    return [first, second]


async def set_up_cast(cast: Cast, dice: Random) -> None:
    """Connect all users, offer hours and open conversations."""
    await _arrive(cast.consultants)
    cast.practices = list(await asyncio.gather(*map(_open_practice, cast.consultants)))
    await _arrive([person for person in cast.people if person not in cast.consultants])
    stayers = cast.stayers
    cast.everybody = await _group(stayers)
    pairs = zip(stayers, [*stayers[1:], stayers[0]], strict=True)
    cast.conversations = list(await asyncio.gather(*(_direct(*pair) for pair in pairs)))
    size = max(len(stayers) // 3, 3)
    groups = [await _group(dice.sample(stayers, size)) for _ in range(4)]
    cast.conversations += groups
    cast.changing = groups[:2]


async def _arrive(people: Iterable[Person]) -> None:
    devices = [device for person in people for device in person.devices]
    for device in devices:
        device.arrive()
    await asyncio.gather(*(device.up.wait() for device in devices))


async def done(device: Device, namespace: str, command: str, **payload: Any) -> Asked:
    """Send a command that must succeed."""
    asked = await device.ask(namespace, command, **payload)
    assert asked.ok, f"{asked}: {asked.answers}"
    return asked


async def _open_practice(consultant: Person) -> Practice:
    device = consultant.device
    await done(device, "/consultants", "become", **_CONSULTANT)
    topic = await done(device, "/consultants", "add_topic", **_TOPIC)
    week = [{"weekday": day, "hour": 12, "max_calls": PLACES} for day in range(7)]
    schedule = await done(
        device, "/availability", "set_default_schedule", time_zone="UTC", blocks=week
    )
    blocks = schedule.data["blocks"][2 : 2 + BLOCKS_RACED_FOR]
    return Practice(consultant, topic.data["id"], tuple(block["id"] for block in blocks))


async def _group(members: Iterable[Person]) -> Conversation:
    owner, *others = members
    ids = [person.id for person in others]
    ask = {"name": "Chaos", "member_ids": ids, "request_id": owner.new_id()}
    asked = await done(owner.device, "/chat", "create_group", **ask)
    return Conversation(asked.data["id"], (owner, *others))


async def _direct(one: Person, other: Person) -> Conversation:
    asked = await done(one.device, "/chat", "open", user_id=other.id)
    return Conversation(asked.data["id"], (one, other), direct=True)
