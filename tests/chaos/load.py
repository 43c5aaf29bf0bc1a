"""The activity of users: they send and change messages, book, connect and disconnect.

Each user has their own random generator, so a seed reproduces their choices. The timing depends on
the machine. Some commands are repeated deliberately, by any device of the user, also while they are
still running.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.chaos.cast import Cast, Conversation, Person, Practice
from tests.chaos.device import Device
from tests.chaos.records import Asked

THINKS_S = 0.5
GROUP_CHANGES_EVERY_S = 1.5
STAYS_S = (0.5, 6.0)
AWAY_S = (0.3, 14.0)
REPEATED_AT_ONCE, REPEATED_LATER = 0.04, 0.08
"""The probabilities that a command is sent twice at once, and again later."""
LIVE = ("requested", "approved")
TEXT = "word " * 20


class Load:
    """The activity of all users, from `start` to `end`."""

    def __init__(self, cast: Cast, seed: str) -> None:
        self._cast = cast
        self._seed = seed
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        cast = self._cast
        self.talk(THINKS_S)
        for student in cast.students:
            self._keep_doing(student, "books", self._book, THINKS_S)
        for practice in cast.practices:
            self._keep_doing(practice.consultant, "answers", self._answer, THINKS_S / 2)
        for group in cast.changing:
            change = self._changing(group)
            self._keep_doing(group.members[0], f"changes {group.id}", change, GROUP_CHANGES_EVERY_S)
        for goer in cast.goers:
            self._spawn(self._connect_and_disconnect(goer, self._dice(goer, "goes")))

    def talk(self, thinks_s: float) -> None:
        """Let users only send and change messages, with a mean pause of `thinks_s`."""
        for person in self._cast.stayers:
            self._keep_doing(person, "talks", self._talk, thinks_s)

    async def end(self, within_s: float) -> list[str]:
        """Let all users finish; returns the names of those who could not in time."""
        self._over.set()
        _, late = await asyncio.wait(self._tasks, timeout=within_s)
        for task in late:
            task.cancel()
        done = await asyncio.gather(*self._tasks, return_exceptions=True)
        wrong = [repr(one) for one in done if isinstance(one, Exception)]
        return [*(task.get_name() for task in late), *wrong]

    # Running the activity.

    def _dice(self, person: Person, what: str) -> Random:
        return Random(f"{self._seed} {person.name} {what}")  # noqa: S311

    def _spawn(self, work: Awaitable[None], name: str = "") -> None:
        task = asyncio.ensure_future(work)
        task.set_name(name)  # type: ignore[attr-defined]
        self._tasks.append(task)  # type: ignore[arg-type]

    def _keep_doing(
        self, person: Person, what: str, act: Callable[[Person, Random], Awaitable[Any]], s: float
    ) -> None:
        async def keep() -> None:
            dice = self._dice(person, what)
            while not await self._passes(dice.expovariate(1 / s)):
                await act(person, dice)

        self._spawn(keep(), f"{person.name} {what}")

    async def _passes(self, seconds: float) -> bool:
        """Wait, and return whether the load has ended meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    async def _ask(
        self, person: Person, dice: Random, namespace: str, command: str, **payload: Any
    ) -> Asked:
        """Send a command, and sometimes send the same one again."""
        device: Device = dice.choice(person.devices)
        other: Device = dice.choice(person.devices)
        chance = dice.random()
        if namespace not in other.namespaces or namespace not in device.namespaces:
            device = other = person.device
        if chance < REPEATED_AT_ONCE:
            asked = device.begin(namespace, command, **payload)
            await asyncio.gather(device.ask_until_answered(asked), other.ask_until_answered(asked))
        else:
            asked = await device.ask(namespace, command, **payload)
            if asked.ok and chance < REPEATED_AT_ONCE + REPEATED_LATER:
                await other.ask_until_answered(asked, later=True)
        return asked

    # Messages.

    async def _talk(self, person: Person, dice: Random) -> None:
        act = dice.random()
        if act < 0.7 or not person.own:
            await self._say(person, dice)
        elif act < 0.85:
            _, message_id = dice.choice(person.own)
            text = {"text": f"{person.new_id()} {TEXT}"}
            ask = {"message_id": message_id, **text, "request_id": person.new_id()}
            await self._ask(person, dice, "/chat", "edit", **ask)
        elif act < 0.92:
            _, message_id = person.own.pop(dice.randrange(len(person.own)))
            ask = {"message_id": message_id, "request_id": person.new_id()}
            await self._ask(person, dice, "/chat", "delete", **ask)
        else:
            await self._mark(person, dice)

    async def _say(self, person: Person, dice: Random) -> None:
        conversation = dice.choice(self._cast.conversations_of(person))
        ask = {
            "conversation_id": conversation.id,
            "client_id": person.new_id(),
            "text": f"{person.new_id()} {TEXT}",
        }
        if dice.random() < 0.3:
            ask["request_id"] = person.new_id()
        asked = await self._ask(person, dice, "/chat", "send", **ask)
        if asked.ok:
            person.own.append((conversation.id, asked.data["id"]))

    async def _mark(self, person: Person, dice: Random) -> None:
        conversation = dice.choice(self._cast.conversations_of(person))
        seq = person.device.numbers.last.get(("/chat", f"chat:{conversation.id}"), 0)
        ask = {"conversation_id": conversation.id, "seq": seq, "request_id": person.new_id()}
        await self._ask(person, dice, "/chat", "mark_read", **ask)

    def _changing(self, group: Conversation) -> Callable[[Person, Random], Awaitable[Any]]:
        """Returns an act in which the group's creator adds or removes one member."""

        async def change(owner: Person, dice: Random) -> None:
            member = dice.choice(group.members[1:])
            command = dice.choice(("remove_member", "add_member"))
            ask = {"conversation_id": group.id, "user_id": member.id}
            await self._ask(owner, dice, "/chat", command, **ask, request_id=owner.new_id())

        return change

    # Bookings.

    async def _book(self, student: Person, dice: Random) -> None:
        practice: Practice = dice.choice(self._cast.practices)
        block_id = dice.choice(practice.block_ids)
        mine = [one for one in student.device.shown.bookings.values() if one["status"] in LIVE]
        act = dice.random()
        request_id = student.new_id()
        if not mine or act < 0.5:
            ask = {"block_id": block_id, "topic_id": practice.topic_id, "request_id": request_id}
            await self._ask(student, dice, "/booking", "request", **ask)
            return
        ask = {"booking_id": dice.choice(mine)["id"], "request_id": request_id}
        if act < 0.8:
            await self._ask(student, dice, "/booking", "cancel", **ask)
        else:
            await self._ask(student, dice, "/booking", "reschedule", **ask, block_id=block_id)

    async def _answer(self, consultant: Person, dice: Random) -> None:
        shown = consultant.device.shown.bookings.values()
        open_ones = [one for one in shown if one["status"] in LIVE]
        if not open_ones:
            return
        booking = dice.choice(open_ones)
        command = dice.choice(("approve", "approve", "reject", "cancel"))
        ask = {"booking_id": booking["id"], "request_id": consultant.new_id()}
        if dice.random() < 0.5:
            ask["version"] = booking["version"]
        await self._ask(consultant, dice, "/booking", command, **ask)

    # Connecting and disconnecting.

    async def _connect_and_disconnect(self, goer: Person, dice: Random) -> None:
        """Connect and disconnect in turns, until the load ends."""
        while not await self._passes(dice.uniform(*STAYS_S)):
            await goer.device.leave()
            if await self._passes(dice.uniform(*AWAY_S)):
                return
            goer.device.arrive()
