"""Notices that domains declare are delivered in order, in the language of their recipient."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from msgspec import inspect

from handlers.consulting.booking import booking as domain
from handlers.kit.contract import Event
from handlers.kit.notices import Notice, NoticeRule, Person
from handlers.kit.transaction import Transaction
from handlers.platform.notifications.service import deliver
from tests.parts.morning import MORNING
from tests.platform.chat.scenes import offer
from tests.world import Person as User
from tests.world import one_database, text_of

AT = "/notifications"


@pytest.fixture
async def ana(world):
    """A student."""
    return await (await world.person("ana")).enter(AT)


@pytest.fixture
async def ben(world):
    """A consultant."""
    return await (await world.person("ben", consultant=True)).enter(AT)


async def notifications_of(world, person) -> list[dict]:
    """The notifications of a user, oldest first."""
    await world.settle()
    return (await person.call(AT, "list"))["notifications"][::-1]


def rule_of(kind: str):
    return next(rule for rule in domain.notices if rule.kind == kind)


async def test_notices_and_mails_use_the_users_language_time_zone_and_clock(world, ana, ben):
    german = {"language": "de", "time_zone": "Europe/Berlin", "settings": {"clock": "12h"}}
    await ana.call("/profile", "update", **german)
    shop = await offer(world, ben)
    booking = await ana.call("/booking", "request", **shop.ask())
    await ben.call("/booking", "approve", booking_id=booking["id"])
    approved = (await notifications_of(world, ana))[-1]
    assert approved["title"] == "Buchung bestätigt"
    assert approved["body"].startswith("“Ben Example” hat Ihre Buchung bestätigt: ")
    assert approved["body"].endswith("M (Europe/Berlin)."), "AM or PM"
    [mail] = world.mails.to(ana.email)
    assert mail["Subject"] == "Buchung bestätigt"
    assert "Guten Tag Ana," in text_of(mail)
    assert approved["body"] in text_of(mail)
    assert "Parley öffnen: http" in text_of(mail)
    asked = (await notifications_of(world, ben))[-1]
    assert asked["title"] == "New booking request", "the other one reads English"


@one_database
async def test_a_language_without_translations_falls_back_to_english(world, ana, ben):
    await ana.call("/profile", "update", language="pt")
    shop = await offer(world, ben)
    await ana.call("/booking", "request", **shop.ask())
    world.clock.advance(86_400)
    assert (await notifications_of(world, ana))[-1]["title"] == "Request expired"


@one_database
async def test_a_pincode_mail_is_in_the_users_language(world, ana):
    await ana.call("/profile", "update", language="de")
    door = await world.visitor("/auth")
    await door.call("/auth", "forgot", email=ana.email)
    mail = await world.mails.wait_for(ana.email)
    assert mail["Subject"] == "Ihr Parley-Code für ein neues Passwort"
    await world.settle()


async def test_a_notice_is_about_the_user_named_in_it(world, ana, ben):
    shop = await offer(world, ben)
    booking = await ana.call("/booking", "request", **shop.ask())
    await ben.call("/booking", "approve", booking_id=booking["id"])
    await ana.call("/booking", "cancel", booking_id=booking["id"])
    about = {one["kind"]: one["about_id"] for one in await notifications_of(world, ben)}
    assert about["booking_requested"] == ana.id
    assert about["booking_cancelled"] == ana.id
    assert (await notifications_of(world, ana))[-1]["about_id"] == ben.id


async def test_notices_about_one_booking_come_in_order(world, ana, ben, monkeypatch):
    shop = await offer(world, ben)
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "serve", lambda queue: None)
        booking = await ana.call("/booking", "request", **shop.ask())
        which = {"booking_id": booking["id"]}
        await ben.call("/booking", "approve", **which)
        await ana.call("/booking", "reschedule", **which, block_id=shop.blocks[3]["id"])
        await ben.call("/booking", "cancel", **which)
    kinds = [one["kind"] for one in await notifications_of(world, ana)]
    assert kinds[-3:] == ["booking_approved", "booking_rescheduled", "booking_cancelled"]


@one_database
@pytest.mark.parametrize(
    "values",
    [{}, {"student": Person("0"), "starts_at": 1, "more": "x"}, {"student": Person("0")}],
    ids=["none", "one more", "one less"],
)
async def test_a_notice_with_other_values_than_declared_is_not_delivered(world, ana, values):
    rule = rule_of("booking_requested")
    with pytest.raises(TypeError):
        await world.transact(deliver, rule, Notice(to=ana.id, link="/", values=values))
    assert [one["kind"] for one in await notifications_of(world, ana)] == ["welcome"]


@one_database
async def test_a_notice_names_at_most_one_user(world, ana, ben):
    """A notice about two users could not be cleared when one of them is erased."""
    rule = replace(rule_of("booking_requested"), says=frozenset(("student", "starts_at")))
    values = {"student": Person(ana.id), "starts_at": Person(ben.id)}
    with pytest.raises(TypeError, match="several users"):
        await world.transact(deliver, rule, Notice(to=ana.id, link="/", values=values))


@one_database
@pytest.mark.parametrize("language", ["de", "en"])
async def test_every_notice_has_the_values_that_its_texts_need(world, ana, language):
    await ana.call("/profile", "update", language=language)
    rules = [rule for one in world.app.registry.domains for rule in one.notices]

    def deliver_all(tx: Transaction) -> list[str]:
        return [rule.text for rule in rules if deliver_sample(tx, rule, ana)]

    assert await world.transact(deliver_all) == [rule.text for rule in rules]
    listed = (await ana.call(AT, "list", limit=100))["notifications"]
    assert {one["kind"] for one in listed} == {rule.kind for rule in rules}
    for one in listed:
        assert not set("{}") & set(one["title"] + one["body"]), one["kind"]


def deliver_sample(tx: Transaction, rule: NoticeRule, person: User) -> bool:
    """Deliver the first notice that the rule finds in sample events; False if there is none."""
    notices = [one for event in sample_events(rule.event, person) for one in rule.find(tx, event)]
    for notice in notices[:1]:
        deliver(tx, rule, notice)
    return bool(notices)


def sample_events(event: type[Event], person: User) -> Iterator[Event]:
    """Sample events of this type in which this person is every user."""
    for flag, method, choice in product((False, True), ("password", "google"), range(3)):
        samples = {"email": person.email, "method": method, "currency": "EUR"}
        yield sample_value(inspect.type_info(event), person.id, flag, choice, samples)


def sample_value(
    kind: inspect.Type, text: str, flag: bool, choice: int, samples: dict[str, str]
) -> Any:
    """A value of this type; strings are `text`, unless `samples` has a value for the field.

    `choice` selects one of the values of a literal type.
    """
    match kind:
        case inspect.StructType(cls=shape, fields=fields):
            values = {
                f.name: samples.get(f.name) or sample_value(f.type, text, flag, choice, samples)
                for f in fields
            }
            return shape(**values)
        case inspect.UnionType(types=kinds):
            return sample_value(kinds[0], text, flag, choice, samples)
        case inspect.Metadata(type=inner):
            return sample_value(inner, text, flag, choice, samples)
        case inspect.ListType(item_type=item):
            return [sample_value(item, text, flag, choice, samples)]
        case inspect.LiteralType(values=values):
            return values[choice % len(values)]
        case inspect.DateTimeType():
            return MORNING
        case inspect.BoolType():
            return flag
        case inspect.IntType():
            return 3
        case inspect.StrType():
            return text
    raise TypeError(f"no made-up {kind}")
