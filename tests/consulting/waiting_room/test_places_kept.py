"""A place outlives a lost connection for 60 s, and nothing outlives the block."""

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


async def lose(hour, *clients):
    """Let connections be lost, and wait until the server knows."""
    timers = await lost_places(hour)
    await asyncio.gather(*(client.close() for client in clients))
    await until(lambda: _changed(hour, timers))


async def _changed(hour, before):
    return await lost_places(hour) != before


async def lost_places(hour):
    """The places that nobody holds at this moment."""
    places = await hour.world.read(list_places, hour.block["id"])
    return [place.booking_id for place in places if place.lost_at is not None]


async def is_held_by(hour, booking_id, devices):
    return await hour.world.read(count_stays, booking_id) == devices


async def held_less(hour, booking_id, before):
    """Whether fewer stays hold a place than before."""
    return await hour.world.read(count_stays, booking_id) < before


@both_databases
@pytest.mark.stopped_clock
@pytest.mark.parametrize("back_by", ["entering again", "reconnecting"])
async def test_a_reconnect_within_60_s_keeps_the_place(world, hour, back_by):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    entered = (await hour.queue())[0]
    await lose(hour, ana.client)
    world.clock.advance(58)
    await world.settle()
    assert await hour.waiting_ids() == [ana_booking, ben_booking]
    phone = await ana.device()
    await phone.enter(ROOM)
    if back_by == "entering again":
        assert await phone.call(ROOM, "enter", booking_id=ana_booking) == entered
    await until(lambda: _changed(hour, [ana_booking]))
    world.clock.advance(600)
    await world.settle()
    assert (await hour.queue())[0] == entered
    assert hour.consultant.events("WAITING_ROOM_LEFT") == []


@both_databases
async def test_a_place_that_is_lost_for_60_s_is_given_up(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    before = await hour.queue()
    phone = await ana.device()
    await phone.enter(ROOM)
    await phone.call(ROOM, "enter", booking_id=ana_booking)
    held = await hour.world.read(count_stays, ana_booking)
    await ana.client.close()  # several devices are one student: the phone keeps the place
    await until(lambda: held_less(hour, ana_booking, held))
    world.clock.advance(61)
    await world.settle()
    assert await hour.queue() == before
    await lose(hour, phone)
    world.clock.advance(61)
    await world.settle()
    left = await hour.consultant.event("WAITING_ROOM_LEFT")
    assert left.data == {"place": before[0]}
    moved = await ben.event("WAITING_ROOM_MOVED")
    assert moved.data["place"]["position"] == 1
    assert await hour.waiting_ids() == [ben_booking]
    back = await ana.device()
    await back.enter(ROOM)  # reconnecting takes no new place
    assert await hour.waiting_ids() == [ben_booking]
    place = await back.call(ROOM, "enter", booking_id=ana_booking)
    assert place["position"] == 2


@both_databases
async def test_devices_that_are_lost_in_the_same_moment_lose_the_place(hour):
    ana, ana_booking = await hour.waiting("ana")
    phones = [await ana.device() for _ in range(4)]
    for phone in phones:
        await phone.enter(ROOM)
    # A device holds the place a moment after it entered.
    await until(lambda: is_held_by(hour, ana_booking, 1 + len(phones)))
    await lose(hour, ana.client, *phones)
    assert await lost_places(hour) == [ana_booking]


@both_databases
@pytest.mark.parametrize("back_by", ["entering again", "reconnecting"])
async def test_a_lost_place_is_gone_after_60_s_even_if_no_timer_ran(
    world, hour, monkeypatch, back_by
):
    async def never() -> bool:
        return False

    monkeypatch.setattr(world.app.timers, "fire", never)
    ana, ana_booking = await hour.booked("ana")
    phone = await ana.device()
    if back_by == "entering again":
        await phone.enter(ROOM)  # there all the time, and not waiting
    await ana.call(ROOM, "enter", booking_id=ana_booking)
    _, ben_booking = await hour.waiting("ben")
    await hour.queue()
    await lose(hour, ana.client)
    world.clock.advance(61)
    if back_by == "entering again":
        assert (await phone.call(ROOM, "enter", booking_id=ana_booking))["position"] == 2
        assert await hour.waiting_ids() == [ben_booking, ana_booking]
    else:
        await phone.enter(ROOM)
    await hour.consultant.event("WAITING_ROOM_LEFT")
    if back_by == "reconnecting":
        assert await hour.waiting_ids() == [ben_booking]


async def test_the_room_closes_with_the_block(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    await hour.waiting("ben")
    await hour.queue()
    moved = await world.stored("WAITING_ROOM_MOVED")
    hour.move_to(60)
    admit = {"booking_id": ana_booking}
    assert await refusal_of(hour.consultant, ROOM, "admit", **admit) == "WRONG_STATE"
    await world.settle()
    await hour.consultant.client.until(
        lambda: len(hour.consultant.events("WAITING_ROOM_LEFT")) == 2
    )
    assert await world.stored("WAITING_ROOM_MOVED") == moved  # nobody moves up to leave
    assert await hour.queue() == []
    assert await refusal_of(hour.consultant, ROOM, "admit", **admit) == "WRONG_STATE"
    assert await refusal_of(ana, ROOM, "enter", booking_id=ana_booking) == "WRONG_STATE"


async def test_a_booking_that_is_called_off_or_moved_waits_no_more(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    cem, cem_booking = await hour.waiting("cem")
    await hour.queue()
    await hour.consultant.call("/booking", "cancel", booking_id=ana_booking)
    await world.settle()
    assert await hour.waiting_ids() == [ben_booking, cem_booking]
    assert await refusal_of(ana, ROOM, "enter", booking_id=ana_booking) == "WRONG_STATE"
    await ben.call("/booking", "reschedule", booking_id=ben_booking, block_id=hour.later["id"])
    await world.settle()
    assert await hour.waiting_ids() == [cem_booking]
    assert await refusal_of(ben, ROOM, "enter", booking_id=ben_booking) == "TOO_EARLY"
    await cem.event("WAITING_ROOM_MOVED", lambda data: data["place"]["position"] == 1)


@with_server
async def test_places_outlive_a_restart_of_the_server(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    await world.restart()
    consultant, phone = await hour.consultant.device(), await ana.device()
    for client in (consultant, phone):
        await client.enter(ROOM)
    queue = await consultant.call(ROOM, "queue", block_id=hour.block["id"])
    assert [one["booking_id"] for one in queue["places"]] == [ana_booking, ben_booking]
    await world.settle()
    world.clock.advance(61)
    await world.settle()
    left = await consultant.event("WAITING_ROOM_LEFT")  # ben did not come back
    assert left.data["place"]["booking_id"] == ben_booking
    queue = await consultant.call(ROOM, "queue", block_id=hour.block["id"])
    assert [one["booking_id"] for one in queue["places"]] == [ana_booking]


@both_databases
async def test_entering_again_and_again_is_one_stay(world, hour, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 1)
    ana, ana_booking = await hour.booked("ana")
    for _ in range(4):
        await ana.call(ROOM, "enter", booking_id=ana_booking)
    assert await world.read(count_stays, ana_booking) == 1
    await lose(hour, ana.client)
    assert await lost_places(hour) == [ana_booking]


async def test_places_that_are_gone_are_no_limit_to_who_stays_connected(hour, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 1)
    ana, ana_booking = await hour.waiting("ana")
    hour.block = await hour.following()
    next_booking = await hour.book(ana)
    hour.move_to(-10)
    await ana.call(ROOM, "leave", booking_id=ana_booking)
    place = await ana.call(ROOM, "enter", booking_id=next_booking)
    assert place["position"] == 1


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("command", ["enter", "admit"])
async def test_a_booking_that_is_just_being_cancelled_gets_neither_place_nor_call(
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


async def test_who_moved_to_the_next_hour_waits_there_before_the_news_has_come(
    world, hour, monkeypatch
):
    following = await hour.following()
    ana, ana_booking = await hour.waiting("ana")
    ben, _ = await hour.waiting("ben")
    hour.move_to(50)
    with monkeypatch.context() as late:
        late.setattr(world.app.relay, "serve", lambda queue: None)  # the news travels slowly
        await ana.call("/booking", "reschedule", booking_id=ana_booking, block_id=following["id"])
        place = await ana.call(ROOM, "enter", booking_id=ana_booking)
    assert (place["block_id"], place["position"]) == (following["id"], 1)
    await world.settle()
    queue = await hour.consultant.call(ROOM, "queue", block_id=following["id"])
    assert queue["places"] == [place]
    assert [one["position"] for one in await hour.queue()] == [1]
    await ben.event("WAITING_ROOM_MOVED", lambda data: data["place"]["position"] == 1)


@both_databases
async def test_a_timer_that_is_heard_too_early_is_set_again(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    block_id = hour.block["id"]
    await lose(hour, ana.client)
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


async def test_places_of_a_dead_instance_are_seen_to_a_few_at_a_time(world, hour, monkeypatch):
    monkeypatch.setattr("handlers.consulting.waiting_room.consumers.STAYS_BATCH", 2)
    _, ana_booking = await hour.waiting("ana")
    for number in range(5):
        await world.transact(insert_stay, Stay(f"stay{number}", ana_booking, "dead"))
    await lose_instance(world, "dead", world.clock.now())
    assert await world.read(count_stays, ana_booking) == 1
    assert await lost_places(hour) == []
    assert len(await world.stored("WAITING_MORE_PLACES_LEFT")) == 2
