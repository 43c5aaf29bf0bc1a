"""Each step of a booking is mailed to those whom it concerns, with all that they need to know."""

from datetime import datetime

import icalendar
import pytest

from handlers.consulting.booking.reasons import IN_ENGLISH
from handlers.platform.personal_data.service import erasure
from handlers.platform.send.outcomes import Outcome
from tests.consulting.availability.practice import week_of
from tests.platform.chat.scenes import Offer, offer
from tests.world import Person, World, text_of

ZONES = {"ana": "Asia/Tokyo", "ben": "Europe/Berlin"}


@pytest.fixture
async def ana(world: World) -> Person:
    """A student in Tokyo, who reads English."""
    person = await world.person("ana")
    await person.call("/profile", "update", time_zone=ZONES["ana"])
    return person


@pytest.fixture
async def ben(world: World) -> Person:
    """A consultant in Berlin, who reads German."""
    person = await world.person("ben", consultant=True)
    await person.call("/profile", "update", time_zone=ZONES["ben"], language="de")
    return person


@pytest.fixture
async def shop(world: World, ben: Person) -> Offer:
    return await offer(world, ben)


async def last_mail(world: World, person: Person) -> tuple[str, str]:
    """The subject and the text of the newest mail to a user."""
    await world.settle()
    mail = world.mails.to(person.email)[-1]
    return str(mail["Subject"]), text_of(mail)


def check(text: str, name: str, other: str, booking: dict) -> None:
    """A mail says with whom, about what and when, and has a link."""
    assert f"“{other}”" in text
    assert "“Taxes”" in text
    assert f"({ZONES[name]})" in text
    assert f"http://localhost:8000/#/bookings/{booking['id']}" in text


async def test_a_request_is_mailed_to_the_consultant(world, ana, ben, shop):
    booking = await ana.call("/booking", "request", **shop.ask(), note="Only you read this")
    subject, text = await last_mail(world, ben)
    assert subject == "Neue Buchungsanfrage"
    check(text, "ben", "Ana Example", booking)
    assert "Only you read this" not in text
    assert "Bitte antworten Sie bis" in text
    assert world.mails.to(ana.email) == []


async def test_an_expiry_is_mailed_to_both(world, ana, ben, shop):
    booking = await ana.call("/booking", "request", **shop.ask())
    await world.settle()
    world.clock.advance(86_400)
    subject, text = await last_mail(world, ana)
    assert subject == "Request expired"
    check(text, "ana", "Ben Example", booking)
    assert "was not answered in time" in text
    assert "Reason" not in text
    subject, text = await last_mail(world, ben)
    assert subject == "Anfrage abgelaufen"
    check(text, "ben", "Ana Example", booking)
    assert "nicht rechtzeitig beantwortet" in text
    await ben.enter("/notifications")
    [told] = [
        one
        for one in (await ben.call("/notifications", "list"))["notifications"]
        if one["kind"] == "booking_expired"
    ]
    assert told["link"] == f"/bookings/{booking['id']}"
    assert told["data"] == {"booking_id": booking["id"], "status": "expired"}


async def test_an_immediate_request_that_expires_is_mailed_to_both(world, ana, ben, shop):
    await ben.call("/availability", "set_available_now", available=True)
    now = {"consultant_id": ben.id, "topic_id": shop.topic["id"]}
    booking = await ana.call("/booking", "request_now", **now)
    await world.settle()
    world.clock.advance(121)
    for person, other in ((ana, "Ben Example"), (ben, "Ana Example")):
        subject, text = await last_mail(world, person)
        assert subject in ("Request expired", "Anfrage abgelaufen")
        check(text, person.name, other, booking)


@pytest.mark.parametrize("reason", ["I am ill, sorry.", None])
@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_an_answer_is_mailed_to_the_student_with_its_reason(
    world, ana, ben, shop, answer, reason
):
    booking = await ana.call("/booking", "request", **shop.ask())
    await ben.call("/booking", answer, booking_id=booking["id"], reason=reason)
    _, text = await last_mail(world, ana)
    check(text, "ana", "Ben Example", booking)
    assert ("Reason: “I am ill, sorry.”" in text) == (reason is not None)
    assert ("Reason" in text) == (reason is not None)


async def test_a_cancellation_is_mailed_with_its_own_reason_to_the_other_side(
    world, ana, ben, shop
):
    booking = await ana.call("/booking", "request", **shop.ask())
    await ben.call("/booking", "approve", booking_id=booking["id"], reason="Gladly")
    await ana.call("/booking", "cancel", booking_id=booking["id"], reason="x" * 300)
    subject, text = await last_mail(world, ben)
    assert subject == "Buchung storniert"
    check(text, "ben", "Ana Example", booking)
    assert f"Grund: “{'x' * 300}”" in text, "a reason is not cut like a name"
    assert "Gladly" not in text
    assert "Booking cancelled" not in [str(one["Subject"]) for one in world.mails.to(ana.email)]


async def test_a_change_is_mailed_to_both_with_the_name_of_the_other(world, ana, ben, shop):
    booking = await ana.call("/booking", "request", **shop.ask())
    new = shop.blocks[5]
    await ana.call("/booking", "reschedule", booking_id=booking["id"], block_id=new["id"])
    for person, other in ((ana, "Ben Example"), (ben, "Ana Example")):
        subject, text = await last_mail(world, person)
        assert subject in ("Booking rescheduled", "Buchung verschoben")
        check(text, person.name, other, booking)


async def test_a_request_that_nobody_can_answer_any_more_is_not_mailed(world, ana, ben, shop):
    """The mail server was away until the request expired."""
    outcomes = world.app.kernel.channels["email"]
    working, outcomes._carry = outcomes._carry, refuse
    await ana.call("/booking", "request", **shop.ask())
    await world.settle()
    world.clock.advance(86_400)
    await world.settle()
    outcomes._carry = working
    world.clock.advance(61)
    for person, subject in ((ana, "Request expired"), (ben, "Anfrage abgelaufen")):
        assert (await last_mail(world, person))[0] == subject
        assert len(world.mails.to(person.email)) == 1


async def refuse(letter: object) -> Outcome:
    return Outcome("fault", "no_connection")


async def cancelled(world: World, booking: dict, *people: Person) -> list[str]:
    """The mails about a cancellation by the server; its reason on the wire stays in English."""
    texts = [await last_mail(world, person) for person in people]
    for (subject, _), person in zip(texts, people, strict=True):
        assert subject in ("Booking cancelled", "Buchung storniert")
        shown = await person.call("/booking", "get", booking_id=booking["id"])
        assert shown["reason"] in IN_ENGLISH.values()
        steps = (await person.call("/booking", "history", booking_id=booking["id"]))["steps"]
        assert steps[-1]["reason"] == shown["reason"]
        assert set(shown) == set(booking), "clients see no more fields than before"
    return [text for _, text in texts]


async def test_the_reason_of_a_withdrawn_hour_is_in_the_language_of_the_reader(
    world, ana, ben, shop
):
    booking = await ana.call("/booking", "request", **shop.ask())
    await ben.call("/booking", "approve", booking_id=booking["id"])
    week = week_of(shop.blocks[0])
    withdrawn = {"week": week, "blocks": [], "cancel_bookings": True}
    await ben.call("/availability", "override_week", **withdrawn)
    english, german = await cancelled(world, booking, ana, ben)
    assert "Reason: The consultant withdrew this hour." in english
    assert "Grund: Dieser Termin wurde zurückgezogen." in german
    assert [set(one.data) for one in ben.events("BOOKING_CANCELLED")] == [{"booking"}]


async def test_the_reason_of_a_call_that_nobody_joined_is_in_the_language_of_the_reader(
    world, ana, ben, shop
):
    await ben.call("/availability", "set_available_now", available=True)
    now = {"consultant_id": ben.id, "topic_id": shop.topic["id"]}
    booking = await ana.call("/booking", "request_now", **now)
    await ben.call("/booking", "approve", booking_id=booking["id"])
    world.clock.advance(61)
    english, german = await cancelled(world, booking, ana, ben)
    assert "Reason: The call did not take place." in english
    assert "Grund: Das Gespräch hat nicht stattgefunden." in german


@pytest.mark.parametrize("gone", ["ana", "ben"])
async def test_the_reason_of_a_planned_deletion_is_in_the_language_of_the_reader(
    world, ana, ben, shop, gone
):
    booking = await ana.call("/booking", "request", **shop.ask())
    leaving, left = (ana, ben) if gone == "ana" else (ben, ana)
    await leaving.call("/account", "delete")
    [text] = await cancelled(world, booking, left)
    reasons = {
        "ben": "Grund: Das Konto der anderen Person wird gelöscht.",
        "ana": "Reason: The other person's account will be deleted.",
    }
    assert reasons[left.name] in text


@pytest.mark.parametrize("erased", ["ana", "ben"])
async def test_a_cancellation_by_an_erasure_is_mailed_without_the_erased_data(
    world, ana, ben, shop, erased
):
    booking = await ana.call("/booking", "request", **shop.ask())
    await world.settle()
    gone, left = (ana, ben) if erased == "ana" else (ben, ana)
    await world.transact(erasure.begin, gone.id)
    _, text = await last_mail(world, left)
    assert "“Deleted account”" in text
    assert f"({ZONES[left.name]})" in text
    assert booking["id"] in text
    assert ("Taxes" in text) == (erased == "ana"), "the topic is the consultant's"
    assert ("a deleted topic" in text) == (erased == "ben")
    assert ("Das Konto der anderen Person wurde gelöscht." in text) == (left is ben)
    world.clock.advance(2 * 86_400)
    await world.settle()
    listed = (await left.call("/notifications", "list"))["notifications"]
    bodies = {one["kind"]: one["body"] for one in listed}
    body = bodies["booking_cancelled"]
    assert f"({ZONES[left.name]})" in body, "a later round does not clear it"
    if left is ben:
        assert bodies["booking_requested"] == (
            "Die in dieser Benachrichtigung genannte Person hat ihr Konto gelöscht."
        )


async def calendar_in_last_mail(world: World, person: Person) -> tuple[str, icalendar.Event]:
    """The method of the calendar in the newest mail to a user, and its only event."""
    await world.settle()
    mail = world.mails.to(person.email)[-1]
    invited, attached = (one for one in mail.walk() if one.get_content_type() == "text/calendar")
    assert invited.get_content() == attached.get_content()
    assert (attached.get_filename(), invited.get_filename()) == ("booking.ics", None)
    (event,) = icalendar.Calendar.from_ical(invited.get_content()).walk("VEVENT")
    return invited.get_param("method"), event


async def test_mails_add_move_and_remove_a_booking_in_calendar_programs(world, ana, ben, shop):
    booking = await ana.call("/booking", "request", **shop.ask())
    which = {"booking_id": booking["id"]}
    await ben.call("/booking", "approve", **which)
    method, added = await calendar_in_last_mail(world, ana)
    assert (method, added["STATUS"]) == ("REQUEST", "CONFIRMED")
    assert added.start == datetime.fromisoformat(booking["starts_at"])
    assert added["ATTENDEE"] == f"mailto:{ana.email}"
    assert "Ben Example" in added["SUMMARY"]
    moved = await ana.call("/booking", "reschedule", **which, block_id=shop.blocks[4]["id"])
    for person in (ana, ben):
        method, event = await calendar_in_last_mail(world, person)
        assert (method, event["UID"]) == ("REQUEST", added["UID"])
        assert event.start == datetime.fromisoformat(moved["starts_at"])
        assert event["SEQUENCE"] > added["SEQUENCE"]
    await ben.call("/booking", "cancel", **which)
    method, gone = await calendar_in_last_mail(world, ana)
    assert (method, gone["STATUS"], gone["UID"]) == ("CANCEL", "CANCELLED", added["UID"])
