"""Turns go from person to person, one each; lines and waits are bounded, and nothing is lost."""

import asyncio
import random
from contextlib import suppress

import pytest

from handlers.kit.errors import RateLimited, Refusal, Unavailable
from handlers.kit.turns import Turns
from tests.world import until


def turns_of(at_a_time: int = 1, **bounds: float) -> Turns:
    return Turns(at_a_time, **{"line_max": 20, "waiting_max": 50, "wait_s": 60.0, **bounds})


class Hall:
    """People who take turns, and hold each until the test lets it go."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.held: list[str] = []
        self.order: list[str] = []
        self._go = asyncio.Semaphore(0)

    async def visit(self, person: str) -> None:
        async with self.turns.turn(person):
            self.order.append(person)
            self.held.append(person)
            try:
                await self._go.acquire()
            finally:
                self.held.remove(person)

    def come(self, *people: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.visit(person)) for person in people]

    def let_go(self, count: int) -> None:
        for _ in range(count):
            self._go.release()


async def test_who_wants_much_waits_behind_who_wants_little():
    hall = Hall(turns_of())
    tasks = hall.come(*["ana"] * 5, "ben", "cleo", "ben")
    await until(lambda: hall.turns.waiting == 7)
    hall.let_go(8)
    await asyncio.gather(*tasks)
    assert hall.order == ["ana", "ana", "ben", "cleo", "ana", "ben", "ana", "ana"]
    assert hall.turns.waiting == 0


async def test_a_person_has_one_turn_at_a_time_however_many_there_are():
    hall = Hall(turns_of(3))
    tasks = hall.come(*["ana"] * 4, "ben")
    await until(lambda: sorted(hall.held) == ["ana", "ben"])
    assert hall.turns.waiting == 3
    hall.let_go(5)
    await asyncio.gather(*tasks)


async def test_lines_are_bounded_for_each_and_in_all():
    hall = Hall(turns_of(line_max=2, waiting_max=3))
    tasks = hall.come("ana", "ana", "ana")
    await until(lambda: hall.turns.waiting == 2)
    with pytest.raises(RateLimited):
        await hall.visit("ana")
    tasks += hall.come("ben")
    await until(lambda: hall.turns.waiting == 3)
    with pytest.raises(Unavailable) as refused:
        await hall.visit("cleo")
    assert refused.value.retry_after_s
    hall.let_go(4)
    await asyncio.gather(*tasks)
    assert "cleo" not in hall.order


async def test_waiting_is_bounded_and_says_who_was_in_the_way():
    hall = Hall(turns_of(wait_s=0.05))
    tasks = hall.come("ana")
    await until(lambda: hall.held)
    with pytest.raises(RateLimited):
        await hall.visit("ana")
    with pytest.raises(Unavailable):
        await hall.visit("ben")
    assert hall.turns.waiting == 0
    hall.let_go(1)
    await asyncio.gather(*tasks)


async def test_who_goes_away_gives_back_their_place():
    hall = Hall(turns_of())
    held, waiting, last = hall.come("ana", "ben", "cleo")
    await until(lambda: hall.turns.waiting == 2)
    waiting.cancel()
    held.cancel()
    await until(lambda: hall.held == ["cleo"])
    hall.let_go(1)
    await last
    assert hall.order == ["ana", "cleo"]


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_no_turn_is_lost(seed):
    """Some are cancelled in the very moment in which they are granted a turn."""
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    turns = turns_of(2, line_max=5, wait_s=0.01)
    holding, most = 0, 0

    async def visit(person: str) -> None:
        nonlocal holding, most
        with suppress(Refusal):
            async with turns.turn(person):
                holding += 1
                most = max(most, holding)
                try:
                    await asyncio.sleep(dice.choice((0, 0, 0.001, 0.01)))
                finally:
                    holding -= 1

    tasks = []
    for _ in range(200):
        tasks.append(asyncio.create_task(visit(dice.choice("abcd"))))
        if dice.random() < 0.3:
            dice.choice(tasks).cancel()
        await asyncio.sleep(dice.choice((0, 0, 0.001)))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (turns.waiting, holding, most) == (0, 0, 2)
    assert (turns._busy, turns._queues) == (set(), {})
