"""Notifications: who gets which ones, in which words and by mail, and how many are unread."""

import asyncio
from datetime import datetime

import pytest

from handlers.platform.notifications.service import MAILS
from handlers.platform.send.lookup import Search
from server import sent_mail
from tests.platform.chat.scenes import Offer, offer, say, talk
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, World, both_databases, one_database

NOTIFICATION = {"id", "kind", "title", "body", "link", "data", "created_at", "read_at", "about_id"}
AT = "/notifications"


@pytest.fixture
async def ana(world):
    """A student."""
    return await (await world.person("ana")).enter(AT)


@pytest.fixture
async def ben(world):
    """A consultant."""
    return await (await world.person("ben", consultant=True)).enter(AT)


@pytest.fixture
async def shop(world, ben) -> Offer:
    return await offer(world, ben)


async def page(person: Person, **payload):
    return await person.call(AT, "list", **payload)


async def notified_kinds(
    world: World, person: Person, *, but: tuple[str, ...] = ("welcome",)
) -> list[str]:
    """The kinds of a user's notifications, oldest first."""
    await world.settle()
    listed = (await page(person))["notifications"]
    kinds = [one["kind"] for one in reversed(listed)]
    return [kind for kind in kinds if kind not in (*but, "consultant_onboarded")]


def subjects(world: World, person: Person) -> list[str]:
    return [str(mail["Subject"]) for mail in world.mails.to(person.email)]


async def decide(person: Person, command: str, booking, **payload):
    return await person.call("/booking", command, booking_id=booking["id"], **payload)


async def test_a_notification_reaches_every_device_and_is_unread_until_marked_read(world, ana):
    await world.settle()
    phone = await (await ana.device()).enter(AT, since={f"user:{ana.id}": 0})
    heard = await phone.event("NOTIFICATION_DISPATCHED")
    assert (heard.meta["room"], heard.meta["seq"]) == (f"user:{ana.id}", 1)
    assert heard.data.keys() == {"notification"}, "and nothing of what only the server needs"
    notification = heard.data["notification"]
    assert notification.keys() == NOTIFICATION
    assert (notification["kind"], notification["link"], notification["read_at"]) == (
        "welcome",
        "/consultants",
        None,
    )
    assert await page(ana) == {"notifications": [notification], "unread": 1, "next": None, "seq": 1}
    ben = await world.person("ben")
    await ben.enter(AT)
    await world.settle()
    assert await ben.call(AT, "mark_read", ids=[notification["id"]]) == {"unread": 1}, (
        "not Ben's to read"
    )
    for _ in range(2):
        assert await ana.call(AT, "mark_read", ids=[notification["id"]]) == {"unread": 0}
    for device in (ana.client, phone):
        read = await device.event("NOTIFICATION_READ")
        assert read.data == {"ids": [notification["id"]], "unread": 0}
        assert read.meta["seq"] == 2
    now = await page(ana)
    assert (now["unread"], now["seq"]) == (0, 2)
    assert datetime.fromisoformat(now["notifications"][0]["read_at"]).tzinfo is not None
    assert len(await world.stored("NOTIFICATION_READ")) == 1
    assert all(heard.data["notification"] != notification for heard in ben.events(heard.name))


async def test_requests_and_approvals_notify_and_are_mailed(world, ana, ben, shop):
    await ana.call("/profile", "update", time_zone="Asia/Tokyo")
    booking = await ana.call("/booking", "request", **shop.ask())
    assert await notified_kinds(world, ben) == ["booking_requested"]
    asked = (await page(ben))["notifications"][0]
    assert "Ana Example" in asked["body"]
    assert asked["link"] == f"/bookings/{booking['id']}"
    assert asked["data"] == {"booking_id": booking["id"], "status": "requested"}
    await decide(ben, "approve", booking)
    assert await notified_kinds(world, ana) == ["booking_approved"]
    approved = (await page(ana))["notifications"][0]
    assert "(Asia/Tokyo)" in approved["body"], "in the reader's own zone"
    assert approved["data"]["status"] == "approved"
    assert await notified_kinds(world, ben) == ["booking_requested"], "who did it is not told"
    assert subjects(world, ana) == ["Booking approved"]
    assert subjects(world, ben) == ["New booking request"]
    mail = world.mails.to(ana.email)[0]
    for part in ("plain", "html"):
        assert approved["body"] in mail.get_body((part,)).get_content()


async def test_rejections_cancellations_and_reschedulings_notify_and_are_mailed(
    world, ana, ben, shop
):
    first, second, third = [
        await ana.call("/booking", "request", **shop.ask(number)) for number in range(3)
    ]
    await decide(ben, "reject", first, reason="no")
    await decide(ana, "cancel", second)
    await decide(ana, "reschedule", third, block_id=shop.blocks[5]["id"])
    await decide(ben, "cancel", third)
    asked = ("welcome", "booking_requested")
    assert sorted(await notified_kinds(world, ana)) == [
        "booking_cancelled",
        "booking_rejected",
        "booking_rescheduled",
    ]
    assert sorted(await notified_kinds(world, ben, but=asked)) == [
        "booking_cancelled",
        "booking_rescheduled",
    ]
    assert sorted(subjects(world, ana)) == [
        "Booking cancelled",
        "Booking rejected",
        "Booking rescheduled",
    ]
    assert sorted(subjects(world, ben)) == [
        "Booking cancelled",
        "Booking rescheduled",
        *["New booking request"] * 3,
    ]


async def test_an_expiry_notifies_both_sides_and_is_mailed(world, ana, ben, shop):
    await ana.call("/booking", "request", **shop.ask())
    await world.settle()
    world.clock.advance(86_400)
    assert await notified_kinds(world, ana) == ["booking_expired"]
    assert await notified_kinds(world, ben) == ["booking_requested", "booking_expired"]
    assert subjects(world, ana) == ["Request expired"]
    assert sorted(subjects(world, ben)) == ["New booking request", "Request expired"]


async def test_a_waiting_list_offer_is_mailed_and_its_expiry_only_notifies(world, ana, ben, shop):
    dan = await world.person("dan")
    booking = await dan.call("/booking", "request", **shop.ask())
    await ana.call("/availability", "join_waiting_list", block_id=shop.blocks[0]["id"])
    await decide(dan, "cancel", booking)
    assert await notified_kinds(world, ana) == ["waiting_list_offered"]
    notification = (await page(ana))["notifications"][0]
    [offered] = await world.stored("WAITING_LIST_OFFERED")
    assert notification["data"] == {
        "block_id": shop.blocks[0]["id"],
        "expires_at": offered["expires_at"],
    }
    heard = [one.data["notification"] for one in ana.events("NOTIFICATION_DISPATCHED")]
    assert notification in heard
    assert notification["link"] == f"/consultants/{ben.id}"
    world.clock.advance(900)
    assert await notified_kinds(world, ana) == [
        "waiting_list_offered",
        "waiting_list_offer_expired",
    ]
    assert subjects(world, ana) == ["A place is free"]


async def test_the_start_and_the_end_of_a_call_notify_both_participants(world, ana, ben, shop):
    await ben.call("/availability", "set_available_now", available=True)
    now = {"consultant_id": ben.id, "topic_id": shop.topic["id"]}
    booking = await ana.call("/booking", "request_now", **now)
    for person in (ana, ben):
        await person.enter("/call")
    await decide(ben, "approve", booking)
    call = (await ana.event("CALL_INITIATED")).data["call"]
    asked = ("welcome", "booking_requested", "booking_approved")
    for person in (ana, ben):
        assert await notified_kinds(world, person, but=asked) == ["call_initiated"]
        listed = (await page(person))["notifications"]
        assert [one["data"]["call_id"] for one in listed if "call_id" in one["data"]] == [
            call["id"]
        ]
    for person in (ana, ben):
        await person.call("/call", "join", call_id=call["id"])
    world.clock.advance(130)
    await ana.call("/call", "end", call_id=call["id"])
    for person in (ana, ben):
        assert await notified_kinds(world, person, but=asked) == ["call_initiated", "call_ended"]
        over = (await page(person))["notifications"][0]
        assert over["data"].keys() == {"call_id", "talked_s"}
        assert "2 min" in over["body"]
    assert subjects(world, ben) == ["New booking request"]


async def test_account_events_notify_and_messages_do_not(world, ana, ben):
    dan = await world.sign_up("dan")
    assert await notified_kinds(world, dan, but=()) == ["welcome"], "a first password is no news"
    await dan.enter("/profile")
    passwords = {"current_password": PASSWORD, "new_password": "another long one"}
    await dan.call("/profile", "change_password", **passwords)
    await world.settle()
    assert await notified_kinds(world, dan, but=()) == ["welcome", "password_set"]
    listed = (await page(ben))["notifications"]
    assert [one["kind"] for one in listed] == ["consultant_onboarded", "welcome"]
    await say(ana, await talk(ana, ben), "Hello")
    await world.settle()
    assert len((await page(ben))["notifications"]) == 2
    assert [str(mail["Subject"]) for mail in world.mails.to(dan.email)] == [
        "Your Parley pincode",
        "Your password was set",
    ]


@both_databases
async def test_concurrent_reads_on_several_devices_count_correctly(world, ana, ben, shop):
    await ben.call("/availability", "set_terms", open_requests_max=6)
    for number in range(6):
        await ana.call("/booking", "request", **shop.ask(number))
    await world.settle()
    ids = [one["id"] for one in (await page(ben))["notifications"]]
    devices = [await (await ben.device()).enter(AT) for _ in range(4)]
    await asyncio.gather(
        *[device.call(AT, "mark_read", ids=ids[n::4]) for n, device in enumerate(devices)]
    )
    assert (await page(ben))["unread"] == 0
    await ben.client.until(lambda: len(ben.events("NOTIFICATION_READ")) == 4)
    unread = [heard.data["unread"] for heard in ben.events("NOTIFICATION_READ")]
    assert unread == sorted(set(unread), reverse=True)
    assert unread[-1] == 0, "the last one told is what a fresh page says"


@one_database
async def test_the_list_pages_newest_first_and_refuses_invalid_requests(world, ana, ben, shop):
    for number in range(5):
        await ana.call("/booking", "request", **shop.ask(number))
    await world.settle()
    seen, before = [], None
    while True:
        found = await page(ben, limit=3, before=before)
        seen += [one["id"] for one in found["notifications"]]
        if (before := found["next"]) is None:
            break
    assert len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)
    for payload in ({"limit": 0}, {"before": ""}, {"user_id": ana.id}):
        with pytest.raises(Refused, match="INVALID"):
            await page(ben, **payload)
    for ids in ([], ["1"], None):
        with pytest.raises(Refused, match="INVALID"):
            await ben.call(AT, "mark_read", ids=ids)


async def test_reading_many_notifications_publishes_each_id_once(world, ana, ben, shop):
    for number in range(3):
        await ana.call("/booking", "request", **shop.ask(number))
    await world.settle()
    ids = sorted(one["id"] for one in (await page(ben))["notifications"])
    others = (await page(ana))["notifications"][0]["id"]
    await ben.call(AT, "mark_read", ids=ids[:1])
    answer = await ben.call(AT, "mark_read", ids=[*ids[::-1], ids[1], others])
    assert answer == {"unread": 0}
    assert [read["ids"] for read in await world.stored("NOTIFICATION_READ")] == [ids[:1], ids[1:]]
    assert (await page(ana))["unread"] == 1


async def test_repeated_rescheduling_sends_a_limited_number_of_mails(world, ana, ben, shop):
    booking = await ana.call("/booking", "request", **shop.ask())
    moves = MAILS.most + 5
    for number in range(moves):
        block_id = shop.blocks[1 + number % 2]["id"]
        await decide(ana, "reschedule", booking, block_id=block_id)
    assert (await notified_kinds(world, ben)).count("booking_rescheduled") == moves
    for person in (ana, ben):
        assert subjects(world, person).count("Booking rescheduled") == MAILS.most
    limited = await sent_mail.list_mails(world.app, Search(person=ben.id, state="skipped"))
    assert limited.count("too_many") == moves - MAILS.most, "an operator sees why"
    await decide(ben, "reschedule", booking, block_id=shop.blocks[5]["id"])
    await world.settle()
    assert subjects(world, ana).count("Booking rescheduled") == MAILS.most + 1, "by somebody else"
