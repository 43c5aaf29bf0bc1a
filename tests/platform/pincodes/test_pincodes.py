"""A pincode is its asker's: strangers cannot use up its tries, replace it or stop its mail."""

from collections import Counter

import pytest
from sqlalchemy import select

from handlers.kit.throttle import mailbox_of
from handlers.platform.pincodes.service import GUESSES
from storage.events.log import events
from tests.wire_client import Client
from tests.world import Person, World, address_of, one_database, text_of, with_server

pytestmark = pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
ANA = address_of("ana")
NEW = "another horse battery"
HOME, CAFE = "198.51.100.7", "203.0.113.9"
TRIES, AN_HOUR = 5, 10
DAY_S = 86_400


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.sign_up("ana")).enter("/profile")


async def door_at(world: World, address: str) -> Client:
    """A visitor who comes from this address."""
    client = await world.connect(**{"X-Forwarded-For": address})
    return await client.enter("/auth", "/signup")


async def forgot(door: Client, email: str = ANA, **more) -> dict:
    """The answer to asking for a new password: data, or an error."""
    answer = await door.ask("/auth", "forgot", {"email": email, **more})
    return answer["data"] if answer["ok"] else answer["error"]


async def reset(door: Client, pincode: str, email: str = ANA, **more) -> str:
    payload = {"email": email, "pincode": pincode, "new_password": NEW, **more}
    answer = await door.ask("/auth", "reset", payload)
    return "OK" if answer["ok"] else str(answer["error"]["code"])


def other_than(pincode: str, n: int = 1) -> str:
    return f"{(int(pincode) + n) % 1_000_000:06d}"


async def guess(door: Client, pincode: str, times: int, **more) -> Counter:
    return Counter([await reset(door, other_than(pincode, n + 1), **more) for n in range(times)])


@with_server
@pytest.mark.parametrize("with_ticket", [True, False], ids=["ticket", "network"])
async def test_a_strangers_wrong_tries_and_requests_leave_the_owners_pincode_alone(
    world, ana, with_ticket
):
    home, cafe = await door_at(world, HOME), await door_at(world, CAFE)
    sent = await forgot(home)
    pincode = await world.mails.pincode(ANA, 2)
    await guess(cafe, pincode, 2 * TRIES)
    for _ in range(3):
        await forgot(cafe)
    assert await guess(cafe, pincode, TRIES + 1) == {"PINCODE_WRONG": TRIES, "PINCODE_LOCKED": 1}
    more = {"ticket": sent["ticket"]} if with_ticket else {}
    assert await reset(home, pincode, **more) == "OK"


async def test_a_ticket_leads_to_its_pincode_from_anywhere_and_to_no_other(world, ana):
    home, cafe = await door_at(world, HOME), await door_at(world, CAFE)
    first = await forgot(home)
    pincode = await world.mails.pincode(ANA, 2)
    second = await forgot(home)
    assert await reset(home, pincode, ticket=second["ticket"]) == "PINCODE_WRONG"
    assert await reset(cafe, pincode, ticket="nobody's") == "PINCODE_WRONG"
    assert await reset(cafe, pincode, ticket=first["ticket"]) == "OK"


async def test_five_wrong_tries_kill_the_pincode_of_their_ticket_and_no_other(world, ana):
    home = await door_at(world, HOME)
    tickets = [(await forgot(home))["ticket"] for _ in range(2)]
    second = await world.mails.pincode(ANA, 3)
    tried = await guess(home, second, TRIES + 1, ticket=tickets[0])
    assert tried == {"PINCODE_WRONG": TRIES, "PINCODE_LOCKED": 1}
    assert await reset(home, second, ticket=tickets[1]) == "OK"


@with_server
async def test_without_a_ticket_another_network_has_five_tries_of_its_own(world, ana):
    home, cafe = await door_at(world, HOME), await door_at(world, CAFE)
    await forgot(home)
    pincode = await world.mails.pincode(ANA, 2)
    tried = await guess(cafe, pincode, TRIES + 1)
    assert tried == {"PINCODE_WRONG": TRIES, "PINCODE_LOCKED": 1}
    assert await reset(cafe, pincode) == "PINCODE_LOCKED"
    assert await reset(home, pincode) == "OK"


async def test_who_asked_on_one_network_may_type_the_pincode_on_another(world, ana):
    home, cafe = await door_at(world, HOME), await door_at(world, CAFE)
    await forgot(home)
    assert await reset(cafe, await world.mails.pincode(ANA, 2)) == "OK"


@with_server
async def test_a_stranger_who_asks_too_often_stops_nobody_elses_mail(world, ana):
    cafe, known = await door_at(world, CAFE), {"device_token": ana.session["device_token"]}
    asked = [await forgot(cafe, f"ana+{n}@example.org") for n in range(AN_HOUR + 1)]
    assert [one.get("code") for one in asked] == [None] * AN_HOUR + ["RATE_LIMITED"]
    assert "ticket" in await forgot(await door_at(world, HOME))
    assert "ticket" in await forgot(cafe, **known)
    assert "ticket" in await forgot(await door_at(world, "2001:db8::1"))
    later = await door_at(world, "2001:db8::2")
    for _ in range(AN_HOUR - 1):
        await forgot(later)
    assert (await forgot(later))["code"] == "RATE_LIMITED", "a /64 is one network"


@with_server
@pytest.mark.parametrize("email", [ANA, "nobody@example.org"], ids=["known", "unknown"])
async def test_a_mailbox_gets_so_many_mails_of_strangers_a_day(world, ana, email):
    served, refused = 0, None
    for n in range(6):
        door = await door_at(world, f"198.51.100.{n}")
        for _ in range(AN_HOUR):
            answer = await forgot(door, email)
            served += "ticket" in answer
            refused = answer if "code" in answer else refused
    assert served == 4 * AN_HOUR - (email == ANA), "one went out when Ana signed up"
    assert refused is not None
    assert refused["code"] == "RATE_LIMITED"
    assert refused["retry_after_s"] > DAY_S - 600
    known = {"device_token": ana.session["device_token"]}
    if email == ANA:
        assert "ticket" in await forgot(door, **known), "a known device is served"
    assert "code" in await forgot(await door_at(world, HOME), email)
    world.clock.advance(DAY_S)
    assert "ticket" in await forgot(await door_at(world, HOME), email)


@with_server
async def test_all_strangers_together_have_so_many_guesses_a_day_and_the_owner_hears(world, ana):
    await ana.enter("/notifications")
    wrong = 0
    for n in range(12):
        door = await door_at(world, f"198.51.100.{n}")
        sent = await forgot(door)
        pincode = await world.mails.pincode(ANA, n + 2)
        tried = await guess(door, pincode, TRIES, ticket=sent["ticket"])
        wrong += tried["PINCODE_WRONG"]
    assert wrong == GUESSES.most + 6, "five a ticket, and one each when these are used up"
    home = await door_at(world, HOME)
    sent = await forgot(home)
    pincode = await world.mails.pincode(ANA, 14)
    await world.settle()
    listed = (await ana.call("/notifications", "list"))["notifications"]
    [told] = [one["title"] for one in listed if one["kind"] == "pincodes_guessed"]
    assert f"{GUESSES.most} times" in told
    named = select(events.c.data).where(events.c.name == "platform.PINCODES_GUESSED")
    kept = await world.read(lambda tx: tx.scalars(named))
    assert kept == [""], "the address that the event names is kept nowhere"
    assert await reset(home, pincode, ticket=sent["ticket"]) == "OK", "who reads the mail gets in"


async def test_the_pincodes_of_a_known_device_keep_their_tries_whatever_strangers_did(world, ana):
    for n in range(7):
        door = await door_at(world, f"198.51.100.{n}")
        ticket = (await forgot(door))["ticket"]
        await guess(door, "000000", TRIES, ticket=ticket)
    known = {"device_token": ana.session["device_token"]}
    home = await door_at(world, HOME)
    ticket = (await forgot(home, **known))["ticket"]
    pincode = await world.mails.pincode(ANA, 9)
    tried = await guess(home, pincode, TRIES - 1, ticket=ticket, **known)
    assert tried == {"PINCODE_WRONG": TRIES - 1}
    assert await reset(home, pincode, ticket=ticket, **known) == "OK"


@one_database
async def test_a_sessions_wrong_tries_leave_the_pincode_of_another_alone(world, ana):
    thief = await world.another_session(ana)
    await thief.enter("/profile")
    await ana.call("/profile", "send_proof")
    pincode = await world.mails.pincode(ANA, 2)
    for n in range(2 * TRIES):
        await thief.client.ask("/profile", "prove", {"pincode": other_than(pincode, n + 1)})
    await ana.call("/profile", "prove", pincode=pincode)


@one_database
async def test_no_mail_has_its_pincode_in_the_subject(world, ana):
    await forgot(await door_at(world, HOME))
    await ana.call("/profile", "change_email", email="ana@elsewhere.example")
    pincodes = [await world.mails.pincode(ANA, n) for n in (1, 2, 3)]
    mails = world.mails.to(ANA)
    for pincode in pincodes:
        assert pincode in "".join(map(text_of, mails))
        assert not any(pincode in str(mail["Subject"]) for mail in mails)


@pytest.mark.parametrize(
    ("email", "mailbox"),
    [
        ("Ana@Example.org", "ana@example.org"),
        ("ana+1@example.org", "ana@example.org"),
        ("a.na+x+y@example.org", "a.na@example.org"),
        ("+x@example.org", "+x@example.org"),
        ("A.n.a+shop@googlemail.com", "ana@gmail.com"),
        ("...@gmail.com", "...@gmail.com"),
    ],
)
def test_spellings_of_a_mailbox_are_counted_as_one(email, mailbox):
    assert mailbox_of(email) == mailbox
