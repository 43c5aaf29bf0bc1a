"""The operator sees what became of a mail, by person and by event, and retries it."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from click.testing import CliRunner

import run
from server import sent_mail
from server.sent_mail import Search
from tests.platform.chat.scenes import offer
from tests.platform.send.scenes import (
    ANA,
    BEN,
    DAY_S,
    all_dispatches,
    get,
    pass_time,
    pincode,
    send,
    url_of,
)
from tests.world import ROOT, Process, World

LATER, NOBODY = "451 4.2.1 come back later", "550 5.1.1 nobody here"


@pytest.fixture
async def world(make_world, mailbox) -> World:
    return await make_world(PARLEY_MAIL_URL=url_of(mailbox))


async def listed(world: World, **by: str) -> list[str]:
    """The ids in the table, newest first."""
    table = await sent_mail.list_mails(world.app, Search(**by))
    lines = table.splitlines()
    return [] if lines == ["no mails"] else [line.split()[0] for line in lines[1:]]


async def show(world: World, dispatch_id: str) -> dict[str, str]:
    shown = await sent_mail.show_mail(world.app, dispatch_id)
    assert shown is not None
    return {line[:16].strip(): line[16:].strip() for line in shown.splitlines()}


async def test_mails_are_found_by_user_address_event_and_state(world, mailbox):
    mailbox.answer("handle_RCPT", NOBODY, to=BEN)
    ana, carl = await world.person("ana"), await world.person("carl", consultant=True)
    shop = await offer(world, carl)
    booking = await ana.call("/booking", "request", **shop.ask())
    await carl.call("/booking", "approve", booking_id=booking["id"])
    await world.settle()
    [approved] = await listed(world, person=ana.id)
    stranger = await send(world, BEN)
    assert await listed(world, person=ana.email) == [approved]
    assert await listed(world, person="ANA@example.org ") == [approved]
    assert await listed(world, person=BEN) == [stranger]
    assert await listed(world, state="refused") == [stranger]
    assert approved in await listed(world, state="sent")
    shown = await show(world, approved)
    assert (shown["state"], shown["kind"], shown["to"]) == ("sent", "booking_approved", ana.email)
    assert approved in await listed(world, event=shown["caused by event"])
    assert await listed(world, event=shown["caused by event"], person=BEN) == []
    assert await listed(world, person="nobody@example.org") == []
    assert await listed(world, person=ana.id, state="waiting") == []
    assert (await listed(world, limit=1)) == [stranger]  # type: ignore[arg-type]
    assert await sent_mail.show_mail(world.app, "unknown") is None


async def test_a_mail_to_an_address_that_was_left_is_found_by_the_user(world):
    ana = await world.person("ana")
    left = await send(world, "old@example.org", user_id=ana.id)
    assert await listed(world, person=ana.id) == [left]
    assert await listed(world, person=ana.email) == [left]
    assert await listed(world, person="old@example.org") == [left]


async def test_the_reason_is_shown_in_words_and_codes_and_the_content_is_not(world, mailbox):
    mailbox.answer("handle_RCPT", LATER)
    dispatch_id = await send(world, ANA, pincode)
    shown = await sent_mail.show_mail(world.app, dispatch_id)
    table = await sent_mail.list_mails(world.app, Search())
    assert shown is not None
    assert "the recipient's mailbox was not available (recipient_unavailable)" in shown
    assert "RCPT TO: 451 4.2.1 come back later" in shown
    assert "123456" not in shown + table
    assert "gAAAA" not in shown + table, "nothing sealed"
    mailbox.answer("handle_MAIL", "550 5.7.1 no")
    await send(world, BEN)
    table = await sent_mail.list_mails(world.app, Search())
    assert table.startswith("email is paused since ")
    assert "the mail server refused the sender's address (sender_refused)" in table


@pytest.mark.parametrize("reply", [LATER, NOBODY])
async def test_a_failed_mail_is_sent_after_a_retry(world, mailbox, reply):
    ana = await world.person("ana")
    mailbox.answer("handle_RCPT", reply)
    dispatch_id = await send(world, ana.email)
    for _ in range(30):
        await pass_time(world, DAY_S / 10)
    failed = await get(world, dispatch_id)
    assert failed.status in ("given_up", "refused")
    mailbox.answer("handle_RCPT", "", times=0)
    assert await sent_mail.retry_mails(world.app, [dispatch_id]) == [(dispatch_id, None)]
    await world.settle()
    sent = await get(world, dispatch_id)
    assert (sent.status, sent.sealed) == ("sent", "")
    [mail] = mailbox.mails
    assert mail.message["Message-ID"] == f"<{dispatch_id}@parley>"
    [(_, why)] = await sent_mail.retry_mails(world.app, [dispatch_id])
    assert why == "it was sent"


async def test_what_cannot_be_retried_says_why_and_stays(world, mailbox):
    ana = await world.person("ana")
    mailbox.answer("handle_RCPT", NOBODY)
    secret = await send(world, ana.email, pincode)
    stranger = await send(world, BEN)
    retried = dict(await sent_mail.retry_mails(world.app, [secret, stranger, "unknown"]))
    assert "pincode" in (retried[secret] or "")
    assert retried[stranger] == "its content was deleted"
    assert retried["unknown"] == "there is no such mail"
    assert {one.status for one in await all_dispatches(world)} == {"refused"}


async def test_mails_that_were_given_up_are_retried_since_a_time(world, mailbox):
    ana = await world.person("ana")
    mailbox.answer("handle_RCPT", LATER)
    early = await send(world, ana.email)
    await pass_time(world, DAY_S)
    late = await send(world, ana.email)
    for _ in range(40):
        await pass_time(world, DAY_S / 10)
    began = (await get(world, late)).done_at
    assert began
    mailbox.answer("handle_RCPT", "", times=0)
    since = began - timedelta(seconds=1)
    assert await sent_mail.retry_given_up(world.app, since) == [(late, None)]
    assert await sent_mail.retry_given_up(world.app, since) == []
    assert await sent_mail.retry_given_up(world.app, began - timedelta(days=9)) == [(early, None)]
    await world.settle()
    assert len(mailbox.mails) == 2


async def test_a_retry_during_a_pause_probes_the_channel_at_once(world, mailbox):
    mailbox.answer("handle_MAIL", "550 5.7.1 no")
    dispatch_id = await send(world, ANA)
    mailbox.answer("handle_MAIL", "", times=0)
    await sent_mail.retry_mails(world.app, [dispatch_id])
    await world.settle()
    assert (await get(world, dispatch_id)).status == "sent"


def operate(process: Process, *words: str) -> subprocess.CompletedProcess[str]:
    """`run.py mail` with these arguments, beside the serving process."""
    environ = {"PATH": os.environ["PATH"], **process.environ}
    command = [sys.executable, "run.py", "mail", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True
    )


@pytest.mark.both_databases
async def test_the_command_line_works_beside_a_serving_instance(process):
    stranger = await process.connect()
    await stranger.enter("/signup")
    await stranger.call("/signup", "start", email=ANA)
    secret = await process.mails.pincode(ANA)
    listed = await asyncio.to_thread(operate, process, "list", "--person", ANA)
    dispatch_id = listed.stdout.splitlines()[1].split()[0]
    shown, retried = await asyncio.gather(
        *(asyncio.to_thread(operate, process, word, dispatch_id) for word in ("show", "retry"))
    )
    assert (listed.returncode, shown.returncode, retried.returncode) == (0, 0, 1)
    assert "pincode" in shown.stdout
    assert f"{dispatch_id} is not retried: it was sent" in retried.stderr
    everything = "".join(one.stdout + one.stderr for one in (listed, shown, retried))
    assert secret not in everything


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--limit", "0"),
        ("list", "--limit", "1001"),
        ("list", "--state", "lost"),
        ("show",),
        ("retry",),
        ("retry", "x", "--given-up"),
        ("retry", "--since", "yesterday"),
    ],
)
def test_a_wrong_use_of_the_command_line_ends_with_2(words):
    assert CliRunner().invoke(run.main, ["mail", *words]).exit_code == 2
