"""Blocks without bookings change in batches, and those with bookings one at a time."""

import pytest

from handlers.consulting.availability.service import capacity
from tests.consulting.availability.practice import daily, follow, open_practice
from tests.consulting.waiting_room.scenes import ask_before_commit

NAMESPACE = "/availability"


async def set_week(practice, blocks):
    return await practice.consultant.call(
        NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=blocks
    )


async def states_of(practice) -> set[tuple[str, int]]:
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    return {(one["status"], one["max_calls"]) for one in blocks}


async def test_only_blocks_with_bookings_are_changed_one_at_a_time(world, monkeypatch):
    practice = await open_practice(world, hours=tuple(range(24)))
    watcher = await follow(practice)
    sam, booked = await world.person("sam"), practice.blocks[3]["id"]
    await practice.booked(sam, 3)
    changed_alone, fit_one = [], capacity._fit_one

    def recording_fit_one(tx, block_id, *rest):
        changed_alone.append(block_id)
        return fit_one(tx, block_id, *rest)

    monkeypatch.setattr(capacity, "BATCH_MAX", 100)
    monkeypatch.setattr(capacity, "_fit_one", recording_fit_one)
    await set_week(practice, daily(*range(24), max_calls=2))
    assert await states_of(practice) == {("available", 2)}
    await set_week(practice, [])
    assert await states_of(practice) == {("full", 1), ("cancelled", 2)}
    await set_week(practice, daily(*range(24), max_calls=3))
    assert await states_of(practice) == {("available", 3)}
    assert changed_alone == [booked] * 3
    assert len(practice.blocks) > 400
    await watcher.assert_in_sync()


TAKE_PLACE = """WITH taken AS (UPDATE pools SET taken = 1 WHERE id = $1)
INSERT INTO holds (pool_id, for_id, kind, holder_id, taken_at)
VALUES ($1, 'a booking', 'booking', 'somebody', '2026-01-01T00:00:00.000000Z')"""


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_place_taken_while_its_block_is_withdrawn_is_kept(world, database_url):
    practice = await open_practice(world)
    block_id = practice.blocks[0]["id"]
    await ask_before_commit(database_url, TAKE_PLACE, block_id, set_week(practice, []))
    assert (await practice.block_of(block_id))["status"] == "full"
    assert await states_of(practice) == {("full", 1), ("cancelled", 1)}
