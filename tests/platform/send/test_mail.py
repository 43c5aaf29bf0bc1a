"""Mails: their two parts, their delivery at least once, and no content kept afterwards."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers.kit.wording import ANYBODY, Code, Plain, Reader
from handlers.platform.account.mails import LEAVING_ADDRESS
from handlers.platform.notifications.mails import NOTICE
from handlers.platform.pincodes import mails
from handlers.platform.send import service
from handlers.platform.send.public import compose
from server.settings import WrongSetting, read_settings
from storage.engine.columns import metadata
from storage.events.log import events
from tests.platform.send.scenes import notice, url_of
from tests.wire_client import Client
from tests.world import World, address_of, one_database, until

ANA = address_of("ana")
PINCODE = {"pincode": Code("123456"), "life": timedelta(minutes=10)}


async def ask_for_pincode(world: World) -> Client:
    stranger = await world.visitor("/signup")
    await stranger.call("/signup", "start", email=ANA)
    return stranger


async def read_all_rows(world: World) -> str:
    """All rows of all tables."""

    def read(tx):
        return [tx.all(lambda *row: row, select(table)) for table in metadata.sorted_tables]

    return repr(await world.read(read))


async def read_sealed_data(world: World) -> Any:
    """The stored data of the SEND_NOTIFICATION events."""
    named = select(events.c.data).where(events.c.name == "platform.SEND_NOTIFICATION")
    return await world.read(lambda tx: tx.scalars(named))


async def outcomes(world: World) -> dict[str, list]:
    await world.settle()
    names = ("DELIVERY_SUCCEEDED", "RETRY_SCHEDULED", "DELIVERY_FAILED")
    return {name: found for name in names if (found := await world.stored(name))}


async def test_a_mail_has_a_sender_a_date_and_text_and_html_parts(world):
    await ask_for_pincode(world)
    pincode = await world.mails.pincode(ANA)
    mail = await world.mails.wait_for(ANA)
    assert mail["From"] == "Parley <parley@localhost>"
    assert mail["Subject"] == "Your Parley pincode"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail.get_content_type() == "multipart/alternative"
    for part in ("plain", "html"):
        content = mail.get_body((part,)).get_content()
        assert pincode in content
        assert "10 minutes" in content
    assert mail.get_body(("html",)).get_content().startswith("<!doctype html>")
    found = await outcomes(world)
    assert found.keys() == {"DELIVERY_SUCCEEDED"}
    [delivered] = found["DELIVERY_SUCCEEDED"]
    assert mail["Message-ID"] == f"<{delivered['dispatch_id']}@parley>"
    assert (delivered["channel"], delivered["attempts"]) == ("email", 1)


async def test_a_pincode_is_stored_sealed_until_its_mail_is_sent_and_then_erased(
    world, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "serve", lambda queue: None)
        await ask_for_pincode(world)
        [on_its_way] = await read_sealed_data(world)
        before = await read_all_rows(world)
    await world.settle()
    pincode = await world.mails.pincode(ANA)
    assert pincode in world.app.kernel.keys.open(on_its_way)
    assert pincode not in before
    assert ANA not in on_its_way
    await outcomes(world)
    assert await read_sealed_data(world) == [""]
    assert pincode not in (after := await read_all_rows(world))
    assert world.app.kernel.keys.seal("")[:6] not in after, "nothing sealed is left either"


@one_database
async def test_user_text_is_escaped_in_html_and_reduced_to_one_line(world):
    values = {
        "title": Plain("A\n<b>"),
        "body": Plain("<script>alert(1)</script>\r\n\nPay\u2028 at\u202e once\x1b"),
        "first_name": Plain("&"),
    }
    mail = await world.transact(
        lambda tx: compose(tx, NOTICE, ANA, ANYBODY, values, link="/a"),
    )
    assert (mail.subject, mail.channel, mail.to) == ("A <b>", "email", ANA)
    assert "<script>" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in mail.html
    assert "Hello &amp;," in mail.html
    assert "\n\n<script>alert(1)</script> Pay at once\n\n" in mail.text
    assert "http://localhost:8000/#/a" in mail.text


@one_database
async def test_a_mail_is_in_the_readers_language_and_quotes_user_text(world):
    values = {**PINCODE, "new_email": "<b>new@example.org</b>"}
    german = Reader(language="de", time_zone="Europe/Berlin")
    mail = await world.transact(
        lambda tx: compose(tx, LEAVING_ADDRESS, ANA, german, values, link="/forgot")
    )
    assert mail.subject == "Ihr Parley-Code für eine neue E-Mail-Adresse"
    assert "in “<b>new@example.org</b>” ändern" in mail.text
    assert "in “&lt;b&gt;new@example.org&lt;/b&gt;” ändern" in mail.html
    assert "\n\n123456\n\n" in mail.text
    assert 'font-weight:700">123456</p>' in mail.html, "on its own, and large"
    assert "10 Minuten" in mail.text
    assert mail.text.endswith("Passwort zurücksetzen: http://localhost:8000/#/forgot\n")
    assert '<a href="http://localhost:8000/#/forgot">Passwort zurücksetzen</a>' in mail.html
    assert '<html lang="de">' in mail.html


@one_database
@pytest.mark.parametrize(
    ("values", "link"), [({}, None), ({**PINCODE, "more": "x"}, None), (PINCODE, "/a")]
)
async def test_a_mail_with_missing_or_undeclared_values_is_refused(world, values, link):
    with pytest.raises(TypeError):
        await world.transact(lambda tx: compose(tx, mails.PINCODE, ANA, ANYBODY, values, link=link))


async def test_a_mail_is_sent_by_smtp(make_world, mailbox):
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    await ask_for_pincode(world)
    mail = await mailbox.wait_for(to=ANA)
    assert (mail.sender, mail.recipients) == ("parley@localhost", (ANA,))
    assert mail.subject == "Your Parley pincode"
    found = re.search(r"\b\d{6}\b", mail.text)
    assert found is not None
    assert found[0] in mail.message.get_body(("html",)).get_content()
    assert (await outcomes(world)).keys() == {"DELIVERY_SUCCEEDED"}


async def test_a_mail_with_unrecorded_delivery_is_resent_with_the_same_id(
    make_world, mailbox, monkeypatch
):
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    with monkeypatch.context() as patched:
        patched.setattr(service, "record", lambda *args: 1 / 0)
        await ask_for_pincode(world)
        await until(lambda: mailbox.mails)
        await world.settle()
    world.clock.advance(60)
    [delivered] = (await outcomes(world))["DELIVERY_SUCCEEDED"]
    ids = {mail.message["Message-ID"] for mail in mailbox.mails}
    assert len(mailbox.mails) == 2
    assert ids == {f"<{delivered['dispatch_id']}@parley>"}


@one_database
@pytest.mark.parametrize("address", ["=?utf-8?q?eve=40x.com=2C?=z@y.z", "a@[x.y", "a@(x).y"])
async def test_an_address_with_special_meaning_in_headers_gets_no_mail(
    make_world, mailbox, address
):
    """Commands refuse such an address; a mail to one that was stored anyway is not retried."""
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    await world.transact(
        lambda tx: tx.publish(compose(tx, mails.PINCODE, address, ANYBODY, PINCODE))
    )
    [failed] = (await outcomes(world))["DELIVERY_FAILED"]
    assert (failed["attempts"], failed["reason"]) == (1, "unusable_address")
    assert mailbox.mails == []


@pytest.mark.parametrize("moment", ["handle_MAIL", "handle_RCPT", "handle_DATA"])
async def test_a_slow_mail_server_times_out_and_is_retried(
    make_world, mailbox, monkeypatch, moment
):
    monkeypatch.setattr("handlers.platform.send.smtp.SMTP_STEP_S", 1.0)
    monkeypatch.setattr("handlers.platform.send.smtp.SMTP_WHOLE_S", 0.1)
    answering = asyncio.Event()

    async def refuse_late(*args) -> str:
        await answering.wait()
        return "451 come back later"

    setattr(mailbox, moment, refuse_late)
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    await ask_for_pincode(world)
    [retry] = (await outcomes(world))["RETRY_SCHEDULED"]
    answering.set()
    assert retry["reason"] == "no_answer"


async def test_a_mail_that_the_server_took_is_sent_even_if_the_goodbye_takes_too_long(
    make_world, mailbox, monkeypatch
):
    monkeypatch.setattr("handlers.platform.send.smtp.SMTP_STEP_S", 1.0)
    monkeypatch.setattr("handlers.platform.send.smtp.SMTP_WHOLE_S", 0.3)
    over = asyncio.Event()

    async def hang(*args) -> str:
        await over.wait()
        return "221 bye"

    mailbox.handle_QUIT = hang
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    await ask_for_pincode(world)
    found = await outcomes(world)
    over.set()
    assert found.keys() == {"DELIVERY_SUCCEEDED"}
    assert len(mailbox.mails) == 1


@pytest.mark.both_databases
async def test_two_instances_send_each_mail_once(make_world, mailbox, database_kind):
    if database_kind == "sqlite":
        return  # it serves one instance
    urls = {"PARLEY_MAIL_URL": url_of(mailbox)}
    one, two = await make_world(**urls), await make_world(**urls)
    for number in range(20):
        await one.transact(lambda tx, n: tx.publish(notice(tx, f"u{n}@example.org")), number)
    await asyncio.gather(one.settle(), two.settle())
    await one.settle()
    recipients = [mail.recipients for mail in mailbox.mails]
    assert len(recipients) == len(set(recipients)) == 20


@pytest.mark.parametrize(
    "sender",
    [
        "parley",
        "a@b.org, c@d.org",
        "<>",
        "a@",
        "Parley, Inc <a@b.org>",
        "a@bücher.example",
        "a\n@b",
    ],
)
def test_an_unusable_sender_stops_the_start(sender):
    with pytest.raises(WrongSetting, match="PARLEY_MAIL_FROM"):
        read_settings({"PARLEY_MAIL_FROM": sender})


@pytest.mark.parametrize("sender", ["a@b.org", "Dr. X <a@b.org>", "Ünï <a@b.org>", '"A, B" <a@b>'])
def test_a_usable_sender_is_accepted(sender):
    assert read_settings({"PARLEY_MAIL_FROM": sender})
