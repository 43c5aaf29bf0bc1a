"""A place is kept for 60 s without a connection, and at most until its block ends."""

import asyncio

import pytest

from handlers.consulting.waiting_room import consumers
from handlers.consulting.waiting_room.contracts import PlaceDue, RoomCloseDue
from storage.consulting.waiting_room import Stay, count_stays, insert_stay, list_places
from storage.events.timers import cancel_timer
from tests.consulting.waiting_room.scenes import (
    ROOM,
    ask_before_commit,
    hour_of,
    lose_instance,
    refusal_of,
)
from tests.world import both_databases, until, with_server


@pytest.fixture
async def hour(world):
    return await hour_of(world)


async def disconnect(hour, *clients):
    """Close connections, and wait until the server has recorded a lost place."""
    before = await lost_places(hour)
    await asyncio.gather(*(client.close() for client in clients))
    await until(lambda: _lost_places_differ(hour, before))


async def _lost_places_differ(hour, before):
    return await lost_places(hour) != before


async def lost_places(hour):
    """The bookings whose places currently have no connected device."""
    places = await hour.world.read(list_places, hour.block["id"])
    return [place.booking_id for place in places if place.lost_at is not None]


async def has_stays(hour, booking_id, count):
    return await hour.world.read(count_stays, booking_id) == count


async def has_fewer_stays(hour, booking_id, before):
    """Whether a place has fewer stays than before."""
    return await hour.world.read(count_stays, booking_id) < before


@both_databases
@pytest.mark.stopped_clock
@pytest.mark.parametrize("return_by", ["entering again", "reconnecting"])
async def test_a_reconnect_within_60_s_keeps_the_place(world, hour, return_by):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    entered = (await hour.queue())[0]
    await disconnect(hour, ana.client)
    world.clock.advance(58)
    await world.settle()
    assert await hour.waiting_ids() == [ana_booking, ben_booking]
    phone = await ana.device()
    await phone.enter(ROOM)
    if return_by == "entering again":
        assert await phone.call(ROOM, "enter", booking_id=ana_booking) == entered
    await until(lambda: _lost_places_differ(hour, [ana_booking]))
    world.clock.advance(600)
    await world.settle()
    assert (await hour.queue())[0] == entered
    assert hour.consultant.events("WAITING_ROOM_LEFT") == []


@both_databases
async def test_a_place_without_a_connection_for_60_s_is_removed(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    before = await hour.queue()
    phone = await ana.device()
    await phone.enter(ROOM)
    await phone.call(ROOM, "enter", booking_id=ana_booking)
    stays = await hour.world.read(count_stays, ana_booking)
    await ana.client.close()  # the phone keeps the place
    await until(lambda: has_fewer_stays(hour, ana_booking, stays))
    world.clock.advance(61)
    await world.settle()
    assert await hour.queue() == before
    await disconnect(hour, phone)
    world.clock.advance(61)
    await world.settle()
    left = await hour.consultant.event("WAITING_ROOM_LEFT")
    assert left.data == {"place": {**before[0], "away": True}}
    moved = await ben.event("WAITING_ROOM_MOVED")
    assert moved.data["place"]["position"] == 1
    assert await hour.waiting_ids() == [ben_booking]
    tablet = await ana.device()
    await tablet.enter(ROOM)  # reconnecting does not take a new place
    assert await hour.waiting_ids() == [ben_booking]
    place = await tablet.call(ROOM, "enter", booking_id=ana_booking)
    assert place["position"] == 2


@both_databases
async def test_a_place_is_lost_when_all_devices_disconnect_concurrently(hour):
    ana, ana_booking = await hour.waiting("ana")
    phones = [await ana.device() for _ in range(4)]
    for phone in phones:
        await phone.enter(ROOM)
    # The stay of a device is stored shortly after it connects.
    await until(lambda: has_stays(hour, ana_booking, 1 + len(phones)))
    await disconnect(hour, ana.client, *phones)
    assert await lost_places(hour) == [ana_booking]


@both_databases
@pytest.mark.parametrize("return_by", ["entering again", "reconnecting"])
async def test_a_lost_place_is_removed_after_60_s_without_a_timer(
    world, hour, monkeypatch, return_by
):
    async def fire_nothing() -> bool:
        return False

    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    ana, ana_booking = await hour.booked("ana")
    phone = await ana.device()
    if return_by == "entering again":
        await phone.enter(ROOM)  # connected all the time, but without a place
    await ana.call(ROOM, "enter", booking_id=ana_booking)
    _, ben_booking = await hour.waiting("ben")
    await hour.queue()
    await disconnect(hour, ana.client)
    world.clock.advance(61)
    if return_by == "entering again":
        assert (await phone.call(ROOM, "enter", booking_id=ana_booking))["position"] == 2
        assert await hour.waiting_ids() == [ben_booking, ana_booking]
    else:
        await phone.enter(ROOM)
    await hour.consultant.event("WAITING_ROOM_LEFT")
    if return_by == "reconnecting":
        assert await hour.waiting_ids() == [ben_booking]


async def test_the_waiting_room_closes_when_its_block_ends(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    await hour.waiting("ben")
    await hour.queue()
    moved = await world.stored("WAITING_ROOM_MOVED")
    hour.move_to(60)
    payload = {"booking_id": ana_booking}
    assert await refusal_of(hour.consultant, ROOM, "admit", **payload) == "WRONG_STATE"
    await world.settle()
    await hour.consultant.client.until(
        lambda: len(hour.consultant.events("WAITING_ROOM_LEFT")) == 2
    )
    assert await world.stored("WAITING_ROOM_MOVED") == moved  # closing moves nobody up
    assert await hour.queue() == []
    assert await refusal_of(hour.consultant, ROOM, "admit", **payload) == "WRONG_STATE"
    assert await refusal_of(ana, ROOM, "enter", booking_id=ana_booking) == "WRONG_STATE"


async def test_cancelling_or_rescheduling_a_booking_removes_its_place(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    cem, cem_booking = await hour.waiting("cem")
    await hour.queue()
    await hour.consultant.call("/booking", "cancel", booking_id=ana_booking)
    await world.settle()
    assert await hour.waiting_ids() == [ben_booking, cem_booking]
    assert await refusal_of(ana, ROOM, "enter", booking_id=ana_booking) == "WRONG_STATE"
    await ben.call("/booking", "reschedule", booking_id=ben_booking, block_id=hour.next_week["id"])
    await world.settle()
    assert await hour.waiting_ids() == [cem_booking]
    assert await refusal_of(ben, ROOM, "enter", booking_id=ben_booking) == "TOO_EARLY"
    await cem.event("WAITING_ROOM_MOVED", lambda data: data["place"]["position"] == 1)


@with_server
async def test_places_survive_a_server_restart(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    await world.restart()
    consultant, phone = await hour.consultant.device(), await ana.device()
    for client in (consultant, phone):
        await client.enter(ROOM)
    queue = await consultant.call(ROOM, "queue", block_id=hour.block["id"])
    assert [place["booking_id"] for place in queue["places"]] == [ana_booking, ben_booking]
    await world.settle()
    world.clock.advance(61)
    await world.settle()
    left = await consultant.event("WAITING_ROOM_LEFT")  # Ben did not reconnect
    assert left.data["place"]["booking_id"] == ben_booking
    queue = await consultant.call(ROOM, "queue", block_id=hour.block["id"])
    assert [place["booking_id"] for place in queue["places"]] == [ana_booking]


@both_databases
async def test_entering_repeatedly_makes_one_stay(world, hour, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 1)
    ana, ana_booking = await hour.booked("ana")
    for _ in range(4):
        await ana.call(ROOM, "enter", booking_id=ana_booking)
    assert await world.read(count_stays, ana_booking) == 1
    await disconnect(hour, ana.client)
    assert await lost_places(hour) == [ana_booking]


async def test_leaving_a_place_releases_the_lease_of_the_connection(hour, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 1)
    ana, ana_booking = await hour.waiting("ana")
    hour.block = await hour.next_block()
    next_booking = await hour.book(ana)
    hour.move_to(-10)
    await ana.call(ROOM, "leave", booking_id=ana_booking)
    place = await ana.call(ROOM, "enter", booking_id=next_booking)
    assert place["position"] == 1


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("command", ["enter", "admit"])
async def test_a_booking_that_is_being_cancelled_gets_neither_place_nor_call(
    world, hour, database_url, command
):
    ana, ana_booking = await hour.waiting("ana")
    asker = ana if command == "enter" else hour.consultant
    code = await ask_before_commit(
        database_url,
        "UPDATE bookings SET status = 'cancelled' WHERE id = $1",
        ana_booking,
        refusal_of(asker, ROOM, command, booking_id=ana_booking),
    )
    assert code == "WRONG_STATE"
    assert await world.stored("CALL_INITIATED") == []


async def test_a_rescheduled_student_can_enter_before_the_event_is_processed(
    world, hour, monkeypatch
):
    next_block = await hour.next_block()
    ana, ana_booking = await hour.waiting("ana")
    ben, _ = await hour.waiting("ben")
    hour.move_to(50)
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "serve", lambda queue: None)  # delays the consumers
        await ana.call("/booking", "reschedule", booking_id=ana_booking, block_id=next_block["id"])
        place = await ana.call(ROOM, "enter", booking_id=ana_booking)
    assert (place["block_id"], place["position"]) == (next_block["id"], 1)
    await world.settle()
    queue = await hour.consultant.call(ROOM, "queue", block_id=next_block["id"])
    assert queue["places"] == [place]
    assert [one["position"] for one in await hour.queue()] == [1]
    await ben.event("WAITING_ROOM_MOVED", lambda data: data["place"]["position"] == 1)


@both_databases
async def test_timers_that_fire_too_early_are_set_again(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    block_id = hour.block["id"]
    await disconnect(hour, ana.client)
    for key in (f"place:{ana_booking}", f"room:{block_id}"):
        await world.transact(cancel_timer, key)
    await world.transact(consumers.give_the_place_up, PlaceDue(booking_id=ana_booking))
    await world.transact(consumers.close_the_room, RoomCloseDue(block_id=block_id))
    world.clock.advance(61)
    await world.settle()
    assert await hour.waiting_ids() == [ben_booking]
    hour.move_to(60)
    await world.settle()
    assert await hour.queue() == []


async def test_places_of_a_dead_instance_are_processed_in_batches(world, hour, monkeypatch):
    monkeypatch.setattr("handlers.consulting.waiting_room.consumers.STAYS_BATCH", 2)
    _, ana_booking = await hour.waiting("ana")
    for number in range(5):
        await world.transact(insert_stay, Stay(f"stay{number}", ana_booking, "dead"))
    await lose_instance(world, "dead", world.clock.now())
    assert await world.read(count_stays, ana_booking) == 1
    assert await lost_places(hour) == []
    assert len(await world.stored("WAITING_MORE_PLACES_LEFT")) == 2


async def test_a_place_goes_with_the_last_device_of_its_student(world):
    hour = await hour_of(world)
    sam, booking_id = await hour.waiting("sam")
    phone = await sam.device()
    await phone.enter(ROOM)
    await phone.call(ROOM, "enter", booking_id=booking_id)
    await phone.call(ROOM, "leave", booking_id=booking_id)
    await phone.call(ROOM, "leave", booking_id=booking_id)  # repeated, as by a slow page
    assert await hour.waiting_ids() == [booking_id]
    await sam.call(ROOM, "leave", booking_id=booking_id)
    assert await hour.waiting_ids() == []
