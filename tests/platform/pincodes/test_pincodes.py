"""Strangers cannot use up the attempts of a pincode, replace it or block its mail."""

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
NEW_PASSWORD = "another horse battery"
HOME, CAFE = "198.51.100.7", "203.0.113.9"
ATTEMPTS, REQUESTS_PER_HOUR = 5, 10
DAY_S = 86_400


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.sign_up("ana")).enter("/profile")


async def visitor_at(world: World, address: str) -> Client:
    """A visitor from this IP address."""
    client = await world.connect(**{"X-Forwarded-For": address})
    return await client.enter("/auth", "/signup")


async def forgot(visitor: Client, email: str = ANA, **more) -> dict:
    """Request a password reset, and return the data or the error of the answer."""
    answer = await visitor.ask("/auth", "forgot", {"email": email, **more})
    return answer["data"] if answer["ok"] else answer["error"]


async def reset(visitor: Client, pincode: str, email: str = ANA, **more) -> str:
    payload = {"email": email, "pincode": pincode, "new_password": NEW_PASSWORD, **more}
    answer = await visitor.ask("/auth", "reset", payload)
    return "OK" if answer["ok"] else str(answer["error"]["code"])


def other_than(pincode: str, n: int = 1) -> str:
    return f"{(int(pincode) + n) % 1_000_000:06d}"


async def guess(visitor: Client, pincode: str, times: int, **more) -> Counter:
    return Counter([await reset(visitor, other_than(pincode, n + 1), **more) for n in range(times)])


@with_server
@pytest.mark.parametrize("with_ticket", [True, False], ids=["ticket", "network"])
async def test_wrong_attempts_and_requests_of_strangers_keep_the_pincode_valid(
    world, ana, with_ticket
):
    home, cafe = await visitor_at(world, HOME), await visitor_at(world, CAFE)
    sent = await forgot(home)
    pincode = await world.mails.pincode(ANA, 2)
    await guess(cafe, pincode, 2 * ATTEMPTS)
    for _ in range(3):
        await forgot(cafe)
    assert await guess(cafe, pincode, ATTEMPTS + 1) == {
        "PINCODE_WRONG": ATTEMPTS,
        "PINCODE_LOCKED": 1,
    }
    more = {"ticket": sent["ticket"]} if with_ticket else {}
    assert await reset(home, pincode, **more) == "OK"


async def test_a_ticket_selects_its_own_pincode_from_any_network(world, ana):
    home, cafe = await visitor_at(world, HOME), await visitor_at(world, CAFE)
    first = await forgot(home)
    pincode = await world.mails.pincode(ANA, 2)
    second = await forgot(home)
    assert await reset(home, pincode, ticket=second["ticket"]) == "PINCODE_WRONG"
    assert await reset(cafe, pincode, ticket="nobody's") == "PINCODE_WRONG"
    assert await reset(cafe, pincode, ticket=first["ticket"]) == "OK"


async def test_five_wrong_attempts_lock_only_the_pincode_of_their_ticket(world, ana):
    home = await visitor_at(world, HOME)
    tickets = [(await forgot(home))["ticket"] for _ in range(2)]
    second = await world.mails.pincode(ANA, 3)
    tried = await guess(home, second, ATTEMPTS + 1, ticket=tickets[0])
    assert tried == {"PINCODE_WRONG": ATTEMPTS, "PINCODE_LOCKED": 1}
    assert await reset(home, second, ticket=tickets[1]) == "OK"


@with_server
async def test_without_a_ticket_each_network_has_its_own_five_attempts(world, ana):
    home, cafe = await visitor_at(world, HOME), await visitor_at(world, CAFE)
    await forgot(home)
    pincode = await world.mails.pincode(ANA, 2)
    tried = await guess(cafe, pincode, ATTEMPTS + 1)
    assert tried == {"PINCODE_WRONG": ATTEMPTS, "PINCODE_LOCKED": 1}
    assert await reset(cafe, pincode) == "PINCODE_LOCKED"
    assert await reset(home, pincode) == "OK"


async def test_a_pincode_requested_on_one_network_is_accepted_on_another(world, ana):
    home, cafe = await visitor_at(world, HOME), await visitor_at(world, CAFE)
    await forgot(home)
    assert await reset(cafe, await world.mails.pincode(ANA, 2)) == "OK"


@with_server
async def test_a_rate_limited_network_does_not_block_requests_of_others(world, ana):
    cafe, known = await visitor_at(world, CAFE), {"device_token": ana.session["device_token"]}
    asked = [await forgot(cafe, f"ana+{n}@example.org") for n in range(REQUESTS_PER_HOUR + 1)]
    assert [one.get("code") for one in asked] == [None] * REQUESTS_PER_HOUR + ["RATE_LIMITED"]
    assert "ticket" in await forgot(await visitor_at(world, HOME))
    assert "ticket" in await forgot(cafe, **known)
    assert "ticket" in await forgot(await visitor_at(world, "2001:db8::1"))
    later = await visitor_at(world, "2001:db8::2")
    for _ in range(REQUESTS_PER_HOUR - 1):
        await forgot(later)
    assert (await forgot(later))["code"] == "RATE_LIMITED", "a /64 is one network"


@with_server
@pytest.mark.parametrize("email", [ANA, "nobody@example.org"], ids=["known", "unknown"])
async def test_mails_per_mailbox_requested_by_strangers_are_limited_per_day(world, ana, email):
    served, refused = 0, None
    for n in range(6):
        visitor = await visitor_at(world, f"198.51.100.{n}")
        for _ in range(REQUESTS_PER_HOUR):
            answer = await forgot(visitor, email)
            served += "ticket" in answer
            refused = answer if "code" in answer else refused
    assert served == 4 * REQUESTS_PER_HOUR - (email == ANA), "one went out when Ana signed up"
    assert refused is not None
    assert refused["code"] == "RATE_LIMITED"
    assert refused["retry_after_s"] > DAY_S - 600
    known = {"device_token": ana.session["device_token"]}
    if email == ANA:
        assert "ticket" in await forgot(visitor, **known), "a known device is served"
    assert "code" in await forgot(await visitor_at(world, HOME), email)
    world.clock.advance(DAY_S)
    assert "ticket" in await forgot(await visitor_at(world, HOME), email)


@with_server
async def test_strangers_share_a_daily_limit_of_guesses_and_the_owner_is_notified(world, ana):
    await ana.enter("/notifications")
    wrong = 0
    for n in range(12):
        visitor = await visitor_at(world, f"198.51.100.{n}")
        sent = await forgot(visitor)
        pincode = await world.mails.pincode(ANA, n + 2)
        tried = await guess(visitor, pincode, ATTEMPTS, ticket=sent["ticket"])
        wrong += tried["PINCODE_WRONG"]
    assert wrong == GUESSES.most + 6, "five a ticket, and one each when these are used up"
    home = await visitor_at(world, HOME)
    sent = await forgot(home)
    pincode = await world.mails.pincode(ANA, 14)
    await world.settle()
    listed = (await ana.call("/notifications", "list"))["notifications"]
    [title] = [one["title"] for one in listed if one["kind"] == "pincodes_guessed"]
    assert f"{GUESSES.most} times" in title
    named = select(events.c.data).where(events.c.name == "platform.PINCODES_GUESSED")
    stored = await world.read(lambda tx: tx.scalars(named))
    assert stored == [""], "the address that the event names is kept nowhere"
    assert await reset(home, pincode, ticket=sent["ticket"]) == "OK", "who reads the mail gets in"


async def test_guesses_of_strangers_do_not_limit_the_pincodes_of_a_known_device(world, ana):
    for n in range(7):
        visitor = await visitor_at(world, f"198.51.100.{n}")
        ticket = (await forgot(visitor))["ticket"]
        await guess(visitor, "000000", ATTEMPTS, ticket=ticket)
    known = {"device_token": ana.session["device_token"]}
    home = await visitor_at(world, HOME)
    ticket = (await forgot(home, **known))["ticket"]
    pincode = await world.mails.pincode(ANA, 9)
    tried = await guess(home, pincode, ATTEMPTS - 1, ticket=ticket, **known)
    assert tried == {"PINCODE_WRONG": ATTEMPTS - 1}
    assert await reset(home, pincode, ticket=ticket, **known) == "OK"


@one_database
async def test_wrong_attempts_in_one_session_do_not_lock_anothers_pincode(world, ana):
    thief = await world.another_session(ana)
    await thief.enter("/profile")
    await ana.call("/profile", "send_proof")
    pincode = await world.mails.pincode(ANA, 2)
    for n in range(2 * ATTEMPTS):
        await thief.client.ask("/profile", "prove", {"pincode": other_than(pincode, n + 1)})
    await ana.call("/profile", "prove", pincode=pincode)


@one_database
async def test_mail_subjects_contain_no_pincode(world, ana):
    await forgot(await visitor_at(world, HOME))
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
def test_spellings_of_a_mailbox_are_normalized(email, mailbox):
    assert mailbox_of(email) == mailbox
