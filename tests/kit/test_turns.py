"""Turns rotate among users; queues and waiting times are limited, and no turn is lost."""

import asyncio
import random
from contextlib import suppress

import pytest

from handlers.kit.errors import RateLimited, Refusal, Unavailable
from handlers.kit.turns import Turns
from tests.world import until


def turns_of(at_a_time: int = 1, **bounds: float) -> Turns:
    return Turns(at_a_time, **{"line_max": 20, "waiting_max": 50, "wait_s": 60.0, **bounds})


class Users:
    """Users who take turns and hold each one until the test releases it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.held: list[str] = []
        self.order: list[str] = []
        self._go = asyncio.Semaphore(0)

    async def take_turn(self, person: str) -> None:
        async with self.turns.turn(person):
            self.order.append(person)
            self.held.append(person)
            try:
                await self._go.acquire()
            finally:
                self.held.remove(person)

    def start(self, *people: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.take_turn(person)) for person in people]

    def release(self, count: int) -> None:
        for _ in range(count):
            self._go.release()


async def test_turns_alternate_between_users():
    users = Users(turns_of())
    tasks = users.start(*["ana"] * 5, "ben", "cleo", "ben")
    await until(lambda: users.turns.waiting == 7)
    users.release(8)
    await asyncio.gather(*tasks)
    assert users.order == ["ana", "ana", "ben", "cleo", "ana", "ben", "ana", "ana"]
    assert users.turns.waiting == 0


async def test_a_user_has_one_turn_at_a_time_even_if_more_are_free():
    users = Users(turns_of(3))
    tasks = users.start(*["ana"] * 4, "ben")
    await until(lambda: sorted(users.held) == ["ana", "ben"])
    assert users.turns.waiting == 3
    users.release(5)
    await asyncio.gather(*tasks)


async def test_the_queue_is_limited_per_user_and_in_total():
    users = Users(turns_of(line_max=2, waiting_max=3))
    tasks = users.start("ana", "ana", "ana")
    await until(lambda: users.turns.waiting == 2)
    with pytest.raises(RateLimited):
        await users.take_turn("ana")
    tasks += users.start("ben")
    await until(lambda: users.turns.waiting == 3)
    with pytest.raises(Unavailable) as refused:
        await users.take_turn("cleo")
    assert refused.value.retry_after_s
    users.release(4)
    await asyncio.gather(*tasks)
    assert "cleo" not in users.order


async def test_a_timeout_behind_oneself_is_rate_limited_and_otherwise_unavailable():
    users = Users(turns_of(wait_s=0.05))
    tasks = users.start("ana")
    await until(lambda: users.held)
    with pytest.raises(RateLimited):
        await users.take_turn("ana")
    with pytest.raises(Unavailable):
        await users.take_turn("ben")
    assert users.turns.waiting == 0
    users.release(1)
    await asyncio.gather(*tasks)


async def test_cancelling_frees_a_turn_or_a_place_in_the_queue():
    users = Users(turns_of())
    held, waiting, last = users.start("ana", "ben", "cleo")
    await until(lambda: users.turns.waiting == 2)
    waiting.cancel()
    held.cancel()
    await until(lambda: users.held == ["cleo"])
    users.release(1)
    await last
    assert users.order == ["ana", "cleo"]


@pytest.mark.parametrize("seed", range(20))
async def test_random_cancellations_lose_no_turn(seed):
    """Some tasks are cancelled at the moment when they get their turn."""
    dice = random.Random(seed)  # noqa: S311 - repeatable
    turns = turns_of(2, line_max=5, wait_s=0.01)
    holding, most = 0, 0

    async def take_turn(person: str) -> None:
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
        tasks.append(asyncio.create_task(take_turn(dice.choice("abcd"))))
        if dice.random() < 0.3:
            dice.choice(tasks).cancel()
        await asyncio.sleep(dice.choice((0, 0, 0.001)))
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (turns.waiting, holding, most) == (0, 0, 2)
    assert (turns._busy, turns._queues) == (set(), {})
