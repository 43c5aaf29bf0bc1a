"""A block between a consultant and a student ends requests, waiting and watching."""

import pytest

from tests.consulting.availability.practice import assert_refused, follow, moment_of, open_practice
from tests.consulting.waiting_room.scenes import ROOM
from tests.world import until, with_server

NAMESPACE = "/booking"


async def block(person, other, on=True):
    await person.call("/chat", "block", user_id=other.id, on=on)


@pytest.mark.parametrize("by_consultant", [True, False])
async def test_neither_side_can_make_or_move_a_booking_and_what_stands_stays(world, by_consultant):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await clara.call("/availability", "set_available_now", available=True)
    standing, asked = await practice.booked(sam), await practice.ask(sam, 1)
    talk = await sam.call("/chat", "open", user_id=clara.id)
    await block(*((clara, sam) if by_consultant else (sam, clara)))
    await assert_refused(practice.ask(sam, 2), "BLOCKED")
    now = {"consultant_id": clara.id, "topic_id": practice.topic["id"]}
    await assert_refused(sam.call(NAMESPACE, "request_now", **now), "BLOCKED")
    place = {"block_id": practice.blocks[2]["id"], "topic_id": practice.topic["id"]}
    in_chat = sam.call("/chat", "request_booking", conversation_id=talk["id"], **place)
    await assert_refused(in_chat, "BLOCKED")
    to = {"booking_id": standing["id"], "block_id": practice.blocks[3]["id"]}
    for person in (sam, clara):
        await assert_refused(person.call(NAMESPACE, "reschedule", **to), "BLOCKED")
    assert (await practice.block(2))["taken"] == 0
    rejected = await clara.call(NAMESPACE, "reject", booking_id=asked["id"])
    assert rejected["status"] == "rejected"
    world.clock.move_to(moment_of(standing["starts_at"]))
    assert (await sam.call(ROOM, "enter", booking_id=standing["id"]))["position"] == 1
    await block(*((clara, sam) if by_consultant else (sam, clara)), on=False)
    assert (await practice.ask(sam, 2))["status"] == "requested"


async def test_a_blocked_user_cannot_join_the_waiting_list(world):
    practice = await open_practice(world)
    await practice.booked(await world.person("tom"))
    sam = await world.person("sam")
    await block(practice.consultant, sam)
    await assert_refused(practice.join_list(sam), "BLOCKED")


async def test_a_blocked_user_reads_what_visitors_read(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await block(clara, sam)
    visitor = await world.visitor("/consultants", "/availability")
    target = {"consultant_id": clara.id}
    reads = [
        ("/consultants", "get", target),
        ("/consultants", "list", {}),
        ("/availability", "get_terms", target),
        ("/availability", "check", {**target, "at": practice.blocks[0]["starts_at"]}),
    ]
    for namespace, command, payload in reads:
        seen = await sam.call(namespace, command, **payload)
        assert seen == await visitor.call(namespace, command, **payload)
    assert await practice.list_blocks(sam) == await practice.list_blocks(visitor)


@with_server
async def test_a_blocked_user_stops_watching_the_consultant_on_every_instance(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    follower = await follow(practice)
    target = {"consultant_id": clara.id}
    for namespace in ("/availability", "/consultants"):
        await sam.enter(namespace)
        await sam.call(namespace, "watch", **target)
    await clara.call("/consultants", "update", about_me="Before the block.")
    await sam.event("CONSULTANT_PROFILE_UPDATED")
    await block(clara, sam)
    await world.settle()
    for namespace in ("/availability", "/consultants"):
        await assert_refused(sam.call(namespace, "watch", **target), "NOT_FOUND")
    await clara.call("/consultants", "update", about_me="After the block.")
    await clara.call("/availability", "set_available_now", available=True)
    await follower.client.event("AVAILABLE_NOW_STATUS_CHANGED")
    await sam.call("/availability", "waits")
    heard = [event.name for event in sam.client.heard]
    assert heard.count("CONSULTANT_PROFILE_UPDATED") == 1
    assert "AVAILABLE_NOW_STATUS_CHANGED" not in heard
    again = await world.connect(token=sam.session["access_token"])
    room = practice.room
    await again.enter("/availability", "/consultants", since={room: 0})
    assert room not in again.synced["/consultants"]["rooms"]
    assert room not in again.synced["/availability"]["rooms"]
    await block(clara, sam, on=False)
    await until(lambda: sam.call("/availability", "watch", **target))
