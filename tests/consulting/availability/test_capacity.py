"""Many blocks are changed together, and those that somebody has a place in with care."""

import pytest

from handlers.consulting.availability.service import capacity
from tests.consulting.availability.practice import daily, follow, open_practice
from tests.consulting.waiting_room.scenes import ask_before_commit

NAMESPACE = "/availability"


async def set_week(practice, blocks):
    return await practice.consultant.call(
        NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=blocks
    )


async def shown(practice) -> set[tuple[str, int]]:
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    return {(one["status"], one["max_calls"]) for one in blocks}


async def test_only_blocks_that_somebody_has_a_place_in_are_changed_one_by_one(world, monkeypatch):
    practice = await open_practice(world, hours=tuple(range(24)))
    watcher = await follow(practice)
    sam, booked = await world.person("sam"), practice.blocks[3]["id"]
    await practice.booked(sam, 3)
    careful, fit_one = [], capacity._fit_one

    def watched(tx, block_id, *rest):
        careful.append(block_id)
        return fit_one(tx, block_id, *rest)

    monkeypatch.setattr(capacity, "BATCH_MAX", 100)
    monkeypatch.setattr(capacity, "_fit_one", watched)
    await set_week(practice, daily(*range(24), max_calls=2))
    assert await shown(practice) == {("available", 2)}
    await set_week(practice, [])
    assert await shown(practice) == {("full", 1), ("cancelled", 2)}
    await set_week(practice, daily(*range(24), max_calls=3))
    assert await shown(practice) == {("available", 3)}
    assert careful == [booked] * 3
    assert len(practice.blocks) > 400
    await watcher.agrees()


TAKE = """WITH taken AS (UPDATE pools SET taken = 1 WHERE id = $1)
INSERT INTO holds (pool_id, for_id, kind, holder_id, taken_at)
VALUES ($1, 'a booking', 'booking', 'somebody', '2026-01-01T00:00:00.000000Z')"""


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_who_takes_a_place_while_the_week_is_taken_away_keeps_it(world, database_url):
    practice = await open_practice(world)
    block_id = practice.blocks[0]["id"]
    await ask_before_commit(database_url, TAKE, block_id, set_week(practice, []))
    assert (await practice.block_of(block_id))["status"] == "full"
    assert await shown(practice) == {("full", 1), ("cancelled", 1)}
