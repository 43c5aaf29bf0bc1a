"""Who had their account deleted left nothing: each row and each file is looked at."""

from datetime import timedelta

from storage.columns import metadata
from storage.personal import personal_of
from tests.handlers.personal_data.life import (
    FOUND_EVERYWHERE,
    IN_FILES,
    SECRETS,
    TAKEN_BACK,
    Life,
    count_rows,
    files_of,
    find,
    prepared,
    rows_of,
)

GRACE = timedelta(days=30)
WORDS = [*FOUND_EVERYWHERE.values(), IN_FILES, *SECRETS.values(), TAKEN_BACK]


async def wait_for_the_day(life: Life) -> None:
    """Plan the deletion and let the time pass, but for a minute."""
    await life.ana.call("/account", "delete")
    await life.world.settle()
    life.world.clock.advance((GRACE - timedelta(minutes=1)).total_seconds())
    await life.world.settle()


async def erase(life: Life) -> None:
    """Let the rest pass, and the second look too."""
    life.world.clock.advance(61)
    await life.world.settle()
    life.world.clock.advance(3_601)
    await life.world.settle()


async def test_nothing_is_left_of_who_did_everything_and_others_keep_what_is_theirs(life):
    there = await find(life.world, *WORDS)
    assert set(FOUND_EVERYWHERE.values()) - set(there) == set(), "or the test looks for nothing"
    assert IN_FILES in there
    await life.ana.call("/account", "export")
    await prepared(life.ana)
    await wait_for_the_day(life)
    others = await count_rows(life.world, life.ben, life.cora)
    await erase(life)
    assert await find(life.world, *WORDS) == {}
    assert files_of(life.world) == []
    others["message_reactions"] -= 1  # Ben's sign on what she said went with it
    assert await count_rows(life.world, life.ben, life.cora) == others
    assert await find(life.world, "Ben keeps what he said")
    await check_every_table(life)


async def check_every_table(life: Life) -> None:
    """Each table has become what it says of itself, those of domains' own hands too."""
    for table in metadata.sorted_tables:
        said = personal_of(table)
        for owner in set(said.goes) - set(said.through):
            assert await rows_of(life.world, table, owner, life.ana.id) == [], table.name
        for owner, fields in said.cleared.items():
            for row in await rows_of(life.world, table, owner, life.ana.id):
                for name, becomes in fields.items():
                    expected = becomes(life.ana.id) if callable(becomes) else becomes
                    assert row[name] in (expected, None), f"{table.name}.{name}"
