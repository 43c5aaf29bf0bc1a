"""The CPU time of full-text search with the most expensive messages and queries."""

import time
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from handlers.platform.chat.service.messages import new_message, post
from storage.platform.chat.search import catch_up
from tests.parts.cost import GROWTH_MAX
from tests.platform.chat.scenes import talk
from tests.world import Person, World

MESSAGE_MAX = 8_000
BATCH = 12
NOISE_S = 0.01
WITHIN_S = 1.5
"""The limit for one batch; an ordinary machine needs a tenth of it."""
_BACKENDS = sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def different_words(size: int) -> str:
    """As many different words as fit into `size` characters."""
    pairs = " ".join(a + b + c for a in _LETTERS for b in _LETTERS for c in _LETTERS[:6])
    return pairs[:size]


TEXTS = {
    "different words": different_words,
    "one word": lambda size: "a" * size,
    "one word of four-byte letters": lambda size: "\U00010400" * size,
    "numbers": lambda size: repeated("1.5e-10+", size),
    "hostnames and paths": lambda size: repeated("a.bc/d?e=1 ", size),
    "email addresses": lambda size: repeated("a-b.c@d.ef", size),
    "non-ASCII hyphens": lambda size: repeated("a\u2010b\u2010", size),
    "combining marks": lambda size: "a" + repeated("\u0301\u0327", size - 1),
    "combining marks without letters": lambda size: repeated("\u0f73", size),
    "ideographs": lambda size: "".join(chr(0x4E00 + at) for at in range(size)),
    "tags": lambda size: repeated("<a b='", size),
    "backslashes and quotes": lambda size: repeated("\\'", size),
    "entities": lambda size: repeated("&a;&#1;", size),
    "a sequence of long words": lambda size: repeated("a" * 1_990 + " ", size),
}
QUERIES = (
    "a",
    "a b c d e f g h",
    "a " * 100,
    " ".join(_LETTERS),
    "\u0130" * 200,
    "\U00010400" * 200,
    "1",
    "a'\\:*&|!()",
)


class Meter:
    """Measures the CPU time of this process and of PostgreSQL's backends."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def spent_s(self) -> float:
        def backends(tx) -> list[int]:
            return tx.scalars(_BACKENDS) if tx.dialect == "postgresql" else []

        files = [Path(f"/proc/{pid}/schedstat") for pid in await self._world.read(backends)]
        there_ns = sum(int(file.read_text().split()[0]) for file in files if file.exists())
        return time.process_time() + there_ns / 1e9


async def cost_s(world: World, sender: Person, chat: str, text: str) -> float:
    """The CPU time for storing and indexing a batch with this text; the better of two runs."""

    def store(tx) -> None:
        for number in range(BATCH):
            post(
                tx,
                new_message(
                    tx, chat, f"{len(text)}-{tx.new_id()}-{number}", "text", text, sender.id
                ),
            )
        if tx.dialect == "sqlite":
            catch_up(tx)

    meter, costs = Meter(world), []
    for _ in range(2):
        before = await meter.spent_s()
        await world.transact(store)
        costs.append(await meter.spent_s() - before)
    return min(costs)


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben")]


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
async def test_indexing_time_grows_linearly_with_the_text(world, people, make):
    chat = await talk(*people)
    await cost_s(world, people[0], chat, "warm")
    quarter = await cost_s(world, people[0], chat, make(MESSAGE_MAX // 4))
    whole = await cost_s(world, people[0], chat, make(MESSAGE_MAX))
    assert whole < WITHIN_S
    assert whole < GROWTH_MAX * quarter + NOISE_S, (quarter, whole)


async def test_the_most_expensive_searches_are_fast(world, people):
    ana, ben = people
    chat = await talk(ana, ben)
    for make in TEXTS.values():
        await cost_s(world, ana, chat, make(MESSAGE_MAX))
    meter = Meter(world)
    for wanted in QUERIES:
        before = await meter.spent_s()
        found = await ben.call("/chat", "search", text=wanted[:200])
        assert await meter.spent_s() - before < WITHIN_S, wanted
        assert isinstance(found["messages"], list)
