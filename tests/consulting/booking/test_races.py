"""Many at once: exactly k of N get a place, and a booking ends once, with each effect once."""

import asyncio
import random
from collections import Counter

import pytest

from tests.consulting.availability.practice import daily, follow, heard_in, open_practice, refused
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.world import both_databases

pytestmark = both_databases

NAMESPACE = "/booking"
LIVE = ("requested", "approved")
STUDENTS, PLACES = 12, 3
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


async def students_of(*worlds, count=STUDENTS):
    """People on connections of their own, spread over the instances."""
    people = [await worlds[n % len(worlds)].person(f"student{n}") for n in range(count)]
    for person in people:
        await person.enter(NAMESPACE)
    return people


async def begin_all(asks):
    """Send everything at once, one frame after the other; the answers' codes."""
    for person in {person for person, _, _ in asks}:
        if NAMESPACE not in person.client.synced:
            await person.enter(NAMESPACE)
    futures = [
        await person.client.begin(NAMESPACE, command, payload) for person, command, payload in asks
    ]
    answers = await asyncio.gather(*futures)
    return [answer["error"]["code"] if not answer["ok"] else "OK" for answer in answers]


def asking(practice, people, number=0):
    asked = {"block_id": practice.blocks[number]["id"], "topic_id": practice.topic["id"]}
    return [(person, "request", asked) for person in people]


async def counts_of(follower, practice):
    """A block's count after each commit, as its watcher heard it."""
    await follower.agrees()
    events = heard_in(follower.client, "/availability", practice.room)
    return [e.data["block"]["taken"] for e in events if e.name == "AVAILABILITY_UPDATED"]


async def test_of_many_requests_at_once_exactly_as_many_succeed_as_there_are_places(world):
    practice = await open_practice(world, max_calls=PLACES)
    follower = await follow(practice)
    people = await students_of(world)
    codes = await begin_all(asking(practice, people))
    assert Counter(codes) == {"OK": PLACES, "BLOCK_FULL": STUDENTS - PLACES}
    assert await counts_of(follower, practice) == list(range(1, PLACES + 1))
    assert len(follower.client.events("AVAILABILITY_BLOCK_FULL")) == 1
    assert len(await world.stored("BOOKING_REQUESTED")) == PLACES


@on_postgresql
async def test_also_when_they_ask_two_instances(make_world):
    one, two = [await make_world() for _ in range(2)]
    practice = await open_practice(one, max_calls=PLACES)
    follower = await follow(practice)
    people = await students_of(one, two)
    codes = await begin_all(asking(practice, people))
    assert Counter(codes) == {"OK": PLACES, "BLOCK_FULL": STUDENTS - PLACES}
    assert await counts_of(follower, practice) == list(range(1, PLACES + 1))


async def test_two_approvals_at_once_are_one(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    devices = [practice.consultant, await world.another_session(practice.consultant)]
    codes = await begin_all([(d, "approve", {"booking_id": booking["id"]}) for d in devices * 2])
    assert sorted(codes) == ["OK", *["WRONG_STATE"] * 3]
    assert len(await world.stored("BOOKING_APPROVED")) == 1
    assert len(await world.stored("BOOKING_CREATED")) == 1


async def test_of_two_who_ask_for_the_last_place_one_can_be_approved(world):
    practice = await open_practice(world)
    people = await students_of(world, count=2)
    codes = await begin_all(asking(practice, people))
    assert sorted(codes) == ["BLOCK_FULL", "OK"]
    clara = practice.consultant
    waiting = (await clara.call(NAMESPACE, "list", status="requested"))["bookings"]
    assert len(waiting) == 1
    assert (await clara.call(NAMESPACE, "approve", booking_id=waiting[0]["id"]))["version"] == 2


@pytest.mark.parametrize("approved", [False, True], ids=["requested", "approved"])
async def test_whatever_is_answered_at_once_a_booking_ends_once(world, approved):
    """Approve, reject, cancel and reschedule of one booking; then all once more, with expiry."""
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    follower = await follow(practice)
    for _ in range(4):
        booking = await (practice.booked(sam) if approved else practice.ask(sam))
        mine = {"booking_id": booking["id"]}
        asks = [
            (clara, "approve", mine),
            (sam, "cancel", mine),
            (clara, "reject", mine),
            (clara, "cancel", mine),
            (sam, "reschedule", {**mine, "block_id": practice.blocks[1]["id"]}),
            (sam, "cancel", mine),
        ]
        random.shuffle(asks)
        await begin_all(asks)
        await world.settle()
        await ended_once(practice, booking)
        await follower.agrees()


async def ended_once(practice, booking):
    """The booking's events make sense, and its places are free."""
    world = practice.world
    ends = []
    for name in ("REJECTED", "CANCELLED", "EXPIRED", "COMPLETED"):
        stored = await world.stored(f"BOOKING_{name}")
        ends += [name for data in stored if data["booking"]["id"] == booking["id"]]
    now = await practice.consultant.call(NAMESPACE, "get", booking_id=booking["id"])
    assert ends == [now["status"].upper()]
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [0, 0]


async def test_an_answer_that_meets_the_expiry_is_one_end(world):
    practice = await open_practice(world, max_calls=8)
    clara = practice.consultant
    people = await students_of(world, count=8)
    follower = await follow(practice)
    bookings = [await practice.ask(person) for person in people]
    world.clock.advance(86_401)
    answers = [
        (clara, "approve", {"booking_id": booking["id"]})
        if number % 2
        else (person, "cancel", {"booking_id": booking["id"]})
        for number, (person, booking) in enumerate(zip(people, bookings, strict=True))
    ]
    codes, _ = await asyncio.gather(begin_all(answers), world.settle())
    assert set(codes) == {"WRONG_STATE"}
    assert len(await world.stored("BOOKING_EXPIRED")) == len(bookings)
    for booking in bookings:
        await ended_once(practice, booking)
    await follower.agrees()


async def test_of_two_who_know_one_version_one_succeeds(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    moves = [
        (sam, "reschedule", {"block_id": practice.blocks[number]["id"]}) for number in (1, 2, 3)
    ]
    stale = {"booking_id": booking["id"], "version": 1}
    codes = await begin_all([(who, command, {**more, **stale}) for who, command, more in moves])
    assert sorted(codes) == ["CONFLICT", "CONFLICT", "OK"]
    now = await sam.call(NAMESPACE, "get", booking_id=booking["id"])
    assert now["version"] == 2
    taken = [(await practice.block(number))["taken"] for number in range(4)]
    assert sum(taken) == 1


async def test_a_student_who_asks_everywhere_at_once_gets_one_hour_once(world):
    practices = [await open_practice(world, name) for name in ("clara", "otto", "nora")]
    sam = await world.person("sam")
    await sam.enter(NAMESPACE)
    codes = await begin_all([asking(practice, [sam])[0] for practice in practices])
    assert sorted(codes) == ["OK", "OVERLAPS", "OVERLAPS"]
    assert sum([(await practice.block())["taken"] for practice in practices]) == 1


async def test_two_who_swap_their_blocks_do_not_lock_each_other_out(world):
    practice = await open_practice(world, max_calls=2)
    sam, tom = await students_of(world, count=2)
    first, second = await practice.booked(sam), await practice.booked(tom, 1)
    blocks = [block["id"] for block in practice.blocks[:2]]
    for turn in range(4):
        there = [blocks[(turn + 1) % 2], blocks[turn % 2]]
        codes = await begin_all(
            [
                (sam, "reschedule", {"booking_id": first["id"], "block_id": there[0]}),
                (tom, "reschedule", {"booking_id": second["id"], "block_id": there[1]}),
            ]
        )
        assert codes == ["OK", "OK"]
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [1, 1]


@on_postgresql
async def test_a_place_that_is_freed_while_another_is_taken_is_told(world):
    """The count is compared with the one before under the lock, not with an older one."""
    practice = await open_practice(world, max_calls=2)
    follower = await follow(practice)
    holder, other = await students_of(world, count=2)
    for _ in range(10):
        booking = await practice.ask(holder)
        freeing = (holder, "cancel", {"booking_id": booking["id"]})
        assert await begin_all([*asking(practice, [other]), freeing]) == ["OK", "OK"]
        await follower.agrees()
        theirs = (await other.call(NAMESPACE, "list", limit=1))["bookings"][0]
        await other.call(NAMESPACE, "cancel", booking_id=theirs["id"])


async def storm(practice, people, rounds, seed):
    """Everybody does what comes to their mind, all at once."""
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    clara = practice.consultant
    for _ in range(rounds):
        known = (await clara.call(NAMESPACE, "list", limit=100))["bookings"]
        asks = [asking(practice, [person], chance.randrange(3))[0] for person in people]
        for booking in [one for one in known if one["status"] in LIVE]:
            student = next(one for one in people if one.id == booking["student_id"])
            about = {"booking_id": booking["id"]}
            block = {"block_id": practice.blocks[chance.randrange(3)]["id"]}
            asks.append(
                chance.choice(
                    [
                        (clara, "approve", about),
                        (clara, "reject", about),
                        (student, "cancel", about),
                        (student, "reschedule", {**about, **block}),
                    ]
                )
            )
        chance.shuffle(asks)
        codes = await begin_all(asks)
        assert not {"INTERNAL", "UNAVAILABLE"} & set(codes)


async def places_add_up(practice):
    """Live bookings and places that are taken are as many, and never too many."""
    known = (await practice.consultant.call(NAMESPACE, "list", limit=100))["bookings"]
    live = Counter(one["block_id"] for one in known if one["status"] in LIVE)
    for number in range(3):
        block = await practice.block(number)
        assert block["taken"] == live[block["id"]] <= block["max_calls"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_in_a_storm_the_places_add_up_and_who_watches_knows_it(world, seed):
    practice = await open_practice(world, max_calls=2)
    follower = await follow(practice)
    people = await students_of(world, count=6)
    await storm(practice, people, rounds=5, seed=seed)
    await world.settle()
    await places_add_up(practice)
    await follower.agrees()
    assert all(0 <= taken <= 2 for taken in await counts_of(follower, practice))


@on_postgresql
async def test_in_a_storm_over_two_instances_too(make_world):
    one, two = [await make_world() for _ in range(2)]
    practice = await open_practice(one, max_calls=2)
    follower = await follow(practice)
    people = await students_of(one, two, count=6)
    await storm(practice, people, rounds=6, seed=3)
    for world in (one, two):
        await world.settle()
    await places_add_up(practice)
    await follower.agrees()


async def test_requests_that_meet_a_change_of_the_week_are_booked_or_refused(world):
    """A shrinking week keeps what is booked; what comes too late finds no block or no place."""
    practice = await open_practice(world, max_calls=6)
    follower = await follow(practice)
    people = await students_of(world, count=6)
    week = {"time_zone": "UTC", "blocks": daily(14)}
    codes, _ = await asyncio.gather(
        begin_all(asking(practice, people)),
        practice.consultant.call("/availability", "set_default_schedule", **week),
    )
    assert set(codes) <= {"OK", "NOT_FOUND", "BLOCK_FULL"}
    block = await practice.block()
    assert block["taken"] == codes.count("OK")
    assert block["status"] == ("full" if "OK" in codes else "cancelled")
    await follower.agrees()


STOP = "UPDATE consultants SET status = 'stopped' WHERE id = $1"
RELEASE = """WITH gone AS (DELETE FROM holds WHERE for_id = $1 RETURNING pool_id)
UPDATE pools SET taken = taken - 1 WHERE id IN (SELECT pool_id FROM gone)"""


@on_postgresql
@pytest.mark.parametrize("command", ["request", "request_now"])
async def test_a_request_waits_for_a_consultant_who_is_just_stopping(world, database_url, command):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    await clara.call("/availability", "set_available_now", available=True)
    about = {"request": {"block_id": practice.blocks[0]["id"]}}
    asked = about.get(command, {"consultant_id": clara.id})
    asking = sam.call(NAMESPACE, command, topic_id=practice.topic["id"], **asked)
    await refused(ask_before_commit(database_url, STOP, clara.id, asking), "TOPIC_NOT_OFFERED")


@on_postgresql
async def test_an_approval_waits_for_who_is_just_releasing_the_hold(world, database_url):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)
    approving = clara.call(NAMESPACE, "approve", booking_id=booking["id"])
    approved = ask_before_commit(database_url, RELEASE, booking["id"], approving)
    await refused(approved, "WRONG_STATE")
    await ended_once(practice, booking)
