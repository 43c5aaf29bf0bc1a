"""Sequence numbers of streams have no gaps and follow commit order, despite failures."""

import asyncio
import random

import pytest

from handlers.kit.ids import id_at
from storage.engine.columns import instant_text
from storage.engine.database import Queries
from storage.events import epoch
from storage.events.log import (
    Membership,
    Numbered,
    find_event,
    forget_events,
    get_head,
    insert_events,
    list_heads,
    list_moved_heads,
    list_since,
    rewrite_subject,
    take_number,
    wipe_event,
)
from tests.rooms.hall import record
from tests.storage.scratch import NOW, Failed

STREAMS = [f"/hall|r{n}" for n in range(4)]


def inserting(*streams: str, fail: bool = False):
    def work(queries: Queries) -> list[Numbered]:
        numbered = insert_events(queries, [record(NOW, streams)], {})
        queries.effects.extend(numbered)
        if fail:
            raise Failed
        return numbered

    return work


def all_of(stream: str):
    return lambda queries: [event.seq for event in list_since(queries, stream, 0, 2**60, 10_000)]


async def check_gapless(database):
    for stream in STREAMS:
        numbers = await database.read(all_of(stream))
        assert numbers == list(range(1, len(numbers) + 1))
        assert await database.read(lambda queries, s=stream: get_head(queries, s)) == len(numbers)


@pytest.mark.parametrize("seed", range(2))
async def test_numbers_are_gapless_under_concurrent_and_failing_writers(database, effects, seed):
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    works = [
        inserting(*chance.sample(STREAMS, chance.randint(1, 3)), fail=chance.random() < 0.25)
        for _ in range(150)
    ]
    await asyncio.gather(*map(database.transact, works), return_exceptions=True)
    await check_gapless(database)
    for stream in STREAMS:
        numbers = [event.seq for event in effects if event.stream == stream]
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), "each was told once"


async def test_a_reader_never_sees_a_gap_that_is_filled_later(database):
    """Numbers become visible in order: all below a visible one are visible too."""
    stopped = asyncio.Event()

    async def write():
        while not stopped.is_set():
            await asyncio.gather(*(database.transact(inserting(*STREAMS[:2])) for _ in range(4)))

    writing = asyncio.create_task(write())
    for _ in range(60):
        for stream in STREAMS[:2]:
            numbers = await database.read(all_of(stream))
            assert numbers == list(range(1, len(numbers) + 1))
    stopped.set()
    await writing


async def test_streams_named_in_any_order_do_not_deadlock(database):
    async with asyncio.timeout(10):
        await asyncio.gather(
            *(database.transact(inserting(*STREAMS)) for _ in range(30)),
            *(database.transact(inserting(*reversed(STREAMS))) for _ in range(30)),
        )
    await check_gapless(database)


async def test_a_sequence_number_taken_early_is_used_by_its_event(database):
    def work(queries: Queries) -> tuple[int, list[Numbered]]:
        early = take_number(queries, STREAMS[0], NOW)
        records = [record(NOW, (STREAMS[0], STREAMS[1])), record(NOW, (STREAMS[0],))]
        return early, insert_events(queries, records, {STREAMS[0]: [early]})

    await database.transact(inserting(STREAMS[0]))
    early, numbered = await database.transact(work)
    assert early == 2
    assert [(event.stream, event.seq) for event in numbered] == [
        (STREAMS[0], 2),
        (STREAMS[1], 1),
        (STREAMS[0], 3),
    ]
    await check_gapless(database)


async def test_an_unused_sequence_number_raises_an_error(database):
    def work(queries: Queries):
        early = take_number(queries, STREAMS[0], NOW)
        insert_events(queries, [record(NOW, (STREAMS[1],))], {STREAMS[0]: [early]})

    with pytest.raises(RuntimeError, match="no event used"):
        await database.transact(work)
    await database.transact(inserting(STREAMS[0]))
    await check_gapless(database)


async def test_an_event_is_read_back_unchanged(database):
    membership = (Membership("ana", STREAMS[1], True, 1),)

    def work(queries: Queries) -> list[Numbered]:
        return insert_events(queries, [record(NOW, tuple(STREAMS[:2]), membership)], {})

    numbered = await database.transact(work)
    for event, stream in zip(numbered, STREAMS, strict=False):
        (read,) = await database.read(lambda queries, s=stream: list_since(queries, s, 0, 1, 9))
        assert read == event
        assert read.at == NOW


async def test_a_range_is_read_in_order_and_bounded(database):
    for _ in range(6):
        await database.transact(inserting(STREAMS[0]))

    async def read(after: int, upto: int, limit: int = 100) -> list[int]:
        found = await database.read(lambda q: list_since(q, STREAMS[0], after, upto, limit))
        return [event.seq for event in found]

    assert await read(2, 5) == [3, 4, 5]
    assert await read(0, 99, 2) == [1, 2]
    assert await read(6, 6) == []


async def test_heads_of_many_streams_are_read_at_once(database):
    await database.transact(inserting(STREAMS[0], STREAMS[1]))
    await database.transact(inserting(STREAMS[1]))
    heads = await database.read(lambda queries: list_heads(queries, [*STREAMS[:2], "/hall|none"]))
    assert heads == {STREAMS[0]: 1, STREAMS[1]: 2, "/hall|none": 0}
    moved = await database.read(lambda queries: list_moved_heads(queries, NOW, "", 100))
    assert {(head.stream, head.seq) for head in moved} == {(STREAMS[0], 1), (STREAMS[1], 2)}


async def test_deleting_events_keeps_the_heads(database):
    (old,) = await database.transact(inserting(STREAMS[0]))
    before = id_at(NOW.replace(year=2027))
    assert await database.transact(lambda queries: forget_events(queries, before, 100)) == 1
    assert await database.read(all_of(STREAMS[0])) == []
    assert await database.read(lambda queries: find_event(queries, old.id)) is None
    (new,) = await database.transact(inserting(STREAMS[0]))
    assert new.seq == 2


async def test_events_of_a_subject_are_rewritten_and_keep_their_numbers(database):
    def say_about(subject: str):
        def work(queries: Queries) -> list[Numbered]:
            said = record(NOW, (STREAMS[0],))
            said.subject, said.data = subject, f'{{"about":"{subject}"}}'
            return insert_events(queries, [said], {})

        return work

    for subject in ("a", "b", "a"):
        await database.transact(say_about(subject))
    await database.transact(lambda queries: rewrite_subject(queries, "a", "{}"))
    left = await database.read(lambda queries: list_since(queries, STREAMS[0], 0, 9, 9))
    assert [(event.seq, event.data) for event in left] == [
        (1, "{}"),
        (2, '{"about":"b"}'),
        (3, "{}"),
    ]


async def test_a_wiped_event_has_no_data(database):
    (event,) = await database.transact(inserting(STREAMS[0]))
    await database.transact(lambda queries: wipe_event(queries, event.id))
    stored = await database.read(lambda queries: find_event(queries, event.id))
    assert stored is not None
    assert stored.data == ""


async def test_an_epoch_is_created_once_and_renewed_on_request(database):
    made = await asyncio.gather(
        *(database.transact(lambda q, n=n: epoch.get_epoch(q, f"epoch {n}")) for n in range(8))
    )
    assert len(set(made)) == 1
    assert await database.transact(lambda q: epoch.get_epoch(q, "later")) == made[0]
    await database.transact(lambda q: epoch.renew_epoch(q, "restored"))
    assert await database.transact(lambda q: epoch.get_epoch(q, "later")) == "restored"


def test_timestamps_are_stored_as_texts_that_sort_by_time():
    moments = [NOW.replace(microsecond=n, second=s) for s in range(3) for n in (0, 9, 10, 999_999)]
    texts = [instant_text(moment) for moment in moments]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {27}
    assert texts[0] == "2026-11-21T12:00:00.000000Z"
