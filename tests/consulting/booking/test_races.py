"""Concurrent commands: requests fill exactly the free places, and a booking ends only once."""

import asyncio
import random
from collections import Counter

import pytest

from tests.consulting.availability.practice import (
    assert_refused,
    daily,
    events_in,
    follow,
    open_practice,
)
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.world import both_databases

pytestmark = both_databases

NAMESPACE = "/booking"
LIVE = ("requested", "approved")
STUDENTS, PLACES = 12, 3
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


async def make_students(*worlds, count=STUDENTS):
    """Create students, each with a connection, spread over the instances."""
    people = [await worlds[n % len(worlds)].person(f"student{n}") for n in range(count)]
    for person in people:
        await person.enter(NAMESPACE)
    return people


async def send_all(commands):
    """Send all commands without waiting for answers; returns the codes of the answers."""
    for person in {person for person, _, _ in commands}:
        if NAMESPACE not in person.client.synced:
            await person.enter(NAMESPACE)
    futures = [
        await person.client.begin(NAMESPACE, command, payload)
        for person, command, payload in commands
    ]
    answers = await asyncio.gather(*futures)
    return [answer["error"]["code"] if not answer["ok"] else "OK" for answer in answers]


def requests_by(practice, people, number=0):
    payload = {"block_id": practice.blocks[number]["id"], "topic_id": practice.topic["id"]}
    return [(person, "request", payload) for person in people]


async def taken_counts(follower, practice):
    """The `taken` count of each block update that the follower received."""
    await follower.assert_in_sync()
    events = events_in(follower.client, "/availability", practice.room)
    return [e.data["block"]["taken"] for e in events if e.name == "AVAILABILITY_UPDATED"]


async def test_concurrent_requests_fill_exactly_the_free_places(world):
    practice = await open_practice(world, max_calls=PLACES)
    follower = await follow(practice)
    people = await make_students(world)
    codes = await send_all(requests_by(practice, people))
    assert Counter(codes) == {"OK": PLACES, "BLOCK_FULL": STUDENTS - PLACES}
    assert await taken_counts(follower, practice) == list(range(1, PLACES + 1))
    assert len(follower.client.events("AVAILABILITY_BLOCK_FULL")) == 1
    assert len(await world.stored("BOOKING_REQUESTED")) == PLACES


@on_postgresql
async def test_concurrent_requests_on_two_instances_fill_exactly_the_free_places(make_world):
    one, two = [await make_world() for _ in range(2)]
    practice = await open_practice(one, max_calls=PLACES)
    follower = await follow(practice)
    people = await make_students(one, two)
    codes = await send_all(requests_by(practice, people))
    assert Counter(codes) == {"OK": PLACES, "BLOCK_FULL": STUDENTS - PLACES}
    assert await taken_counts(follower, practice) == list(range(1, PLACES + 1))


async def test_concurrent_approvals_succeed_once(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    devices = [practice.consultant, await world.another_session(practice.consultant)]
    codes = await send_all([(d, "approve", {"booking_id": booking["id"]}) for d in devices * 2])
    assert sorted(codes) == ["OK", *["WRONG_STATE"] * 3]
    assert len(await world.stored("BOOKING_APPROVED")) == 1
    assert len(await world.stored("BOOKING_CREATED")) == 1


async def test_one_of_two_requests_for_the_last_place_can_be_approved(world):
    practice = await open_practice(world)
    people = await make_students(world, count=2)
    codes = await send_all(requests_by(practice, people))
    assert sorted(codes) == ["BLOCK_FULL", "OK"]
    clara = practice.consultant
    waiting = (await clara.call(NAMESPACE, "list", status="requested"))["bookings"]
    assert len(waiting) == 1
    assert (await clara.call(NAMESPACE, "approve", booking_id=waiting[0]["id"]))["version"] == 2


@pytest.mark.parametrize("approved", [False, True], ids=["requested", "approved"])
async def test_a_booking_with_concurrent_answers_ends_once(world, approved):
    """Approve, reject, cancel and reschedule one booking concurrently, in random order."""
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    follower = await follow(practice)
    for _ in range(4):
        booking = await (practice.booked(sam) if approved else practice.ask(sam))
        payload = {"booking_id": booking["id"]}
        commands = [
            (clara, "approve", payload),
            (sam, "cancel", payload),
            (clara, "reject", payload),
            (clara, "cancel", payload),
            (sam, "reschedule", {**payload, "block_id": practice.blocks[1]["id"]}),
            (sam, "cancel", payload),
        ]
        random.shuffle(commands)
        await send_all(commands)
        await world.settle()
        await assert_ended_once(practice, booking)
        await follower.assert_in_sync()


async def assert_ended_once(practice, booking):
    """Assert that the booking has one final event, and that its places are free."""
    world = practice.world
    ends = []
    for name in ("REJECTED", "CANCELLED", "EXPIRED", "COMPLETED"):
        stored = await world.stored(f"BOOKING_{name}")
        ends += [name for data in stored if data["booking"]["id"] == booking["id"]]
    now = await practice.consultant.call(NAMESPACE, "get", booking_id=booking["id"])
    assert ends == [now["status"].upper()]
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [0, 0]


async def test_an_expired_booking_with_concurrent_answers_ends_once(world):
    practice = await open_practice(world, max_calls=8)
    clara = practice.consultant
    people = await make_students(world, count=8)
    follower = await follow(practice)
    bookings = [await practice.ask(person) for person in people]
    world.clock.advance(86_401)
    commands = [
        (clara, "approve", {"booking_id": booking["id"]})
        if number % 2
        else (person, "cancel", {"booking_id": booking["id"]})
        for number, (person, booking) in enumerate(zip(people, bookings, strict=True))
    ]
    codes, _ = await asyncio.gather(send_all(commands), world.settle())
    assert set(codes) == {"WRONG_STATE"}
    assert len(await world.stored("BOOKING_EXPIRED")) == len(bookings)
    for booking in bookings:
        await assert_ended_once(practice, booking)
    await follower.assert_in_sync()


async def test_one_of_several_reschedules_with_the_same_version_succeeds(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    moves = [
        (sam, "reschedule", {"block_id": practice.blocks[number]["id"]}) for number in (1, 2, 3)
    ]
    payload = {"booking_id": booking["id"], "version": 1}
    codes = await send_all(
        [(person, command, {**target, **payload}) for person, command, target in moves]
    )
    assert sorted(codes) == ["CONFLICT", "CONFLICT", "OK"]
    now = await sam.call(NAMESPACE, "get", booking_id=booking["id"])
    assert now["version"] == 2
    taken = [(await practice.block(number))["taken"] for number in range(4)]
    assert sum(taken) == 1


async def test_concurrent_requests_for_the_same_hour_give_a_student_one_booking(world):
    practices = [await open_practice(world, name) for name in ("clara", "otto", "nora")]
    sam = await world.person("sam")
    await sam.enter(NAMESPACE)
    codes = await send_all([requests_by(practice, [sam])[0] for practice in practices])
    assert sorted(codes) == ["OK", "OVERLAPS", "OVERLAPS"]
    assert sum([(await practice.block())["taken"] for practice in practices]) == 1


async def test_students_who_swap_blocks_concurrently_do_not_deadlock(world):
    practice = await open_practice(world, max_calls=2)
    sam, tom = await make_students(world, count=2)
    first, second = await practice.booked(sam), await practice.booked(tom, 1)
    blocks = [block["id"] for block in practice.blocks[:2]]
    for turn in range(4):
        targets = [blocks[(turn + 1) % 2], blocks[turn % 2]]
        codes = await send_all(
            [
                (sam, "reschedule", {"booking_id": first["id"], "block_id": targets[0]}),
                (tom, "reschedule", {"booking_id": second["id"], "block_id": targets[1]}),
            ]
        )
        assert codes == ["OK", "OK"]
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [1, 1]


@on_postgresql
async def test_a_place_freed_while_another_is_taken_is_published(world):
    """The previous count is read under the lock, so that the change is not missed."""
    practice = await open_practice(world, max_calls=2)
    follower = await follow(practice)
    holder, other = await make_students(world, count=2)
    for _ in range(10):
        booking = await practice.ask(holder)
        freeing = (holder, "cancel", {"booking_id": booking["id"]})
        assert await send_all([*requests_by(practice, [other]), freeing]) == ["OK", "OK"]
        await follower.assert_in_sync()
        theirs = (await other.call(NAMESPACE, "list", limit=1))["bookings"][0]
        await other.call(NAMESPACE, "cancel", booking_id=theirs["id"])


async def send_random_commands(practice, people, rounds, seed):
    """Send random commands of all users concurrently, in several rounds."""
    rng = random.Random(seed)  # noqa: S311 - not for security
    clara = practice.consultant
    for _ in range(rounds):
        bookings = (await clara.call(NAMESPACE, "list", limit=100))["bookings"]
        commands = [requests_by(practice, [person], rng.randrange(3))[0] for person in people]
        for booking in [one for one in bookings if one["status"] in LIVE]:
            student = next(one for one in people if one.id == booking["student_id"])
            payload = {"booking_id": booking["id"]}
            block = {"block_id": practice.blocks[rng.randrange(3)]["id"]}
            commands.append(
                rng.choice(
                    [
                        (clara, "approve", payload),
                        (clara, "reject", payload),
                        (student, "cancel", payload),
                        (student, "reschedule", {**payload, **block}),
                    ]
                )
            )
        rng.shuffle(commands)
        codes = await send_all(commands)
        assert not {"INTERNAL", "UNAVAILABLE"} & set(codes)


async def assert_places_match_bookings(practice):
    """Assert that each block has as many taken places as live bookings, within its limit."""
    bookings = (await practice.consultant.call(NAMESPACE, "list", limit=100))["bookings"]
    live = Counter(one["block_id"] for one in bookings if one["status"] in LIVE)
    for number in range(3):
        block = await practice.block(number)
        assert block["taken"] == live[block["id"]] <= block["max_calls"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_concurrent_commands_keep_places_and_watchers_in_sync(world, seed):
    practice = await open_practice(world, max_calls=2)
    follower = await follow(practice)
    people = await make_students(world, count=6)
    await send_random_commands(practice, people, rounds=5, seed=seed)
    await world.settle()
    await assert_places_match_bookings(practice)
    await follower.assert_in_sync()
    assert all(0 <= taken <= 2 for taken in await taken_counts(follower, practice))


@on_postgresql
async def test_random_commands_on_two_instances_keep_places_and_watchers_in_sync(make_world):
    one, two = [await make_world() for _ in range(2)]
    practice = await open_practice(one, max_calls=2)
    follower = await follow(practice)
    people = await make_students(one, two, count=6)
    await send_random_commands(practice, people, rounds=6, seed=3)
    for world in (one, two):
        await world.settle()
    await assert_places_match_bookings(practice)
    await follower.assert_in_sync()


async def test_requests_during_a_schedule_change_are_booked_or_refused(world):
    """Requests before the change are kept; later ones find no block or no free place."""
    practice = await open_practice(world, max_calls=6)
    follower = await follow(practice)
    people = await make_students(world, count=6)
    week = {"time_zone": "UTC", "blocks": daily(14)}
    codes, _ = await asyncio.gather(
        send_all(requests_by(practice, people)),
        practice.consultant.call("/availability", "set_default_schedule", **week),
    )
    assert set(codes) <= {"OK", "NOT_FOUND", "BLOCK_FULL"}
    block = await practice.block()
    assert block["taken"] == codes.count("OK")
    assert block["status"] == ("full" if "OK" in codes else "cancelled")
    await follower.assert_in_sync()


STOP = "UPDATE consultants SET status = 'stopped' WHERE id = $1"
RELEASE = """WITH gone AS (DELETE FROM holds WHERE for_id = $1 RETURNING pool_id)
UPDATE pools SET taken = taken - 1 WHERE id IN (SELECT pool_id FROM gone)"""


@on_postgresql
@pytest.mark.parametrize("command", ["request", "request_now"])
async def test_a_request_waits_for_a_concurrent_stop_and_is_refused(world, database_url, command):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    await clara.call("/availability", "set_available_now", available=True)
    target = {"request": {"block_id": practice.blocks[0]["id"]}}
    payload = target.get(command, {"consultant_id": clara.id})
    request = sam.call(NAMESPACE, command, topic_id=practice.topic["id"], **payload)
    await assert_refused(
        ask_before_commit(database_url, STOP, clara.id, request), "TOPIC_NOT_OFFERED"
    )


@on_postgresql
async def test_an_approval_waits_for_a_concurrent_release_and_is_refused(world, database_url):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)
    approving = clara.call(NAMESPACE, "approve", booking_id=booking["id"])
    approved = ask_before_commit(database_url, RELEASE, booking["id"], approving)
    await assert_refused(approved, "WRONG_STATE")
    await assert_ended_once(practice, booking)
