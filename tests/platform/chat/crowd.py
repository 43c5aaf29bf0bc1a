"""A large group whose members mark messages without a connection each, which would take long."""

from dataclasses import dataclass
from typing import Any

from handlers.kit.context import Context
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import MoveMark
from handlers.platform.chat.public import make_group
from handlers.platform.chat.service import marks
from handlers.platform.profile.public import create_user
from storage.platform.chat.marks import MarkKind
from tests.world import Person, World


@dataclass
class Crowd:
    """A group of connected people, and of others."""

    world: World
    chat: str
    others: list[str]

    async def mark(self, seq: int, kind: MarkKind = "read", count: int | None = None) -> None:
        """Let the first `count` of the others, or all, read or receive a message."""
        for user_id in self.others[:count]:
            context = Context(self.world.app.kernel, Actor(user_id, "", frozenset()))
            await context.transact(marks.move, MoveMark(conversation_id=self.chat, seq=seq), kind)


async def gather_a_crowd(world: World, size: int, *people: Person) -> Crowd:
    """Make a group of `size` members, among them `people`, who enter /chat; the first one owns it.

    The events about its beginning are dropped.
    """

    def make(tx: Transaction) -> tuple[str, list[str]]:
        others = [_make_user(tx, number) for number in range(size - len(people))]
        return make_group(tx, "Crowd", [*(one.id for one in people), *others]), others

    chat, others = await world.transact(make)
    for person in people:
        await person.enter("/chat")
        person.client.heard.clear()
    return Crowd(world, chat, others)


def _make_user(tx: Transaction, number: int) -> str:
    user: Any = create_user(tx, f"member{number}@example.org", "Member", "Example")
    user_id: str = user.id
    return user_id
