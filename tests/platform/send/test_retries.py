"""Mails are retried for two days, then given up; what is of no use is skipped; both are told."""

import pytest

from handlers.platform.personal_data.service import erasure
from handlers.platform.send.public import NoticeMail
from tests.platform.send.scenes import (
    ANA,
    BEN,
    DAY_S,
    HOUR_S,
    all_dispatches,
    get,
    notice,
    pass_time,
    pincode,
    send,
    url_of,
)
from tests.world import World

LATER = "451 4.2.1 come back later"
NOBODY = "550 5.1.1 nobody here"
pytestmark = pytest.mark.stopped_clock


@pytest.fixture
async def world(make_world, mailbox) -> World:
    return await make_world(PARLEY_MAIL_URL=url_of(mailbox))


async def retry_until_the_end(world: World, dispatch_id: str) -> list[float]:
    """Move the clock from try to try; returns the pauses in seconds."""
    pauses = []
    while (dispatch := await get(world, dispatch_id)).next_at is not None:
        pauses.append((dispatch.next_at - world.clock.now()).total_seconds())
        await pass_time(world, pauses[-1] - 0.5)
        assert (await get(world, dispatch_id)).attempts == dispatch.attempts, "not before its time"
        await pass_time(world, 0.6)
        assert len(pauses) < 100
    return pauses


async def test_an_unavailable_recipient_is_retried_for_two_days_after_growing_pauses(
    world, mailbox, logs
):
    mailbox.answer("handle_RCPT", LATER)
    dispatch_id = await send(world, ANA)
    pauses = await retry_until_the_end(world, dispatch_id)
    assert sum(pauses) == pytest.approx(2 * DAY_S, abs=60)
    assert 1.9 <= pauses[0] <= 2.4
    assert max(pauses) <= 4 * HOUR_S * 1.2
    growing = [pause for pause in pauses[:-1] if pause < HOUR_S]
    assert growing == sorted(growing)
    assert 15 < len(pauses) < 40, "the number of tries is bounded"
    given_up = await get(world, dispatch_id)
    assert (given_up.status, given_up.reason) == ("given_up", "recipient_unavailable")
    assert given_up.reply == "RCPT TO: 451 4.2.1 come back later"
    assert logs.getvalue().count("dispatch_given_up") == 1
    assert ANA not in logs.getvalue()
    [failed] = await world.stored("DELIVERY_FAILED")
    assert failed["attempts"] == given_up.attempts == len(pauses) + 1


async def test_pauses_differ_so_that_mails_do_not_come_back_all_at_once(world, mailbox):
    mailbox.answer("handle_RCPT", LATER)
    for number in range(8):
        await send(world, f"user{number}@example.org")
    times = {one.next_at - one.tried_at for one in await all_dispatches(world)}
    assert len(times) > 1


async def test_a_mail_is_delivered_when_its_recipient_is_available_again(world, mailbox):
    mailbox.answer("handle_RCPT", LATER, times=3)
    dispatch_id = await send(world, ANA, pincode)
    for pause_s in (3, 20, 100):
        assert (await get(world, dispatch_id)).status == "waiting"
        await pass_time(world, pause_s)
    sent = await get(world, dispatch_id)
    assert (sent.status, sent.attempts) == ("sent", 4)
    [mail] = mailbox.mails
    assert mail.message["Message-ID"] == f"<{dispatch_id}@parley>"


async def test_a_recipient_that_cannot_be_reached_does_not_delay_others(world, mailbox):
    mailbox.answer("handle_RCPT", LATER, to=ANA)
    waiting, sent = await send(world, ANA), await send(world, BEN)
    assert (await get(world, waiting)).status == "waiting"
    assert (await get(world, sent)).status == "sent"


async def test_the_two_days_of_a_recipient_begin_anew_after_a_pause_of_the_channel(world, mailbox):
    mailbox.answer("handle_RCPT", LATER)
    dispatch_id = await send(world, ANA)
    await pass_time(world, HOUR_S)
    mailbox.answer("handle_MAIL", "451 4.3.0 out of order")
    await send(world, BEN)
    for _ in range(15):
        await pass_time(world, 4 * HOUR_S)
    mailbox.answer("handle_MAIL", "", times=0)
    await pass_time(world, 61)
    assert (await get(world, dispatch_id)).status == "waiting"
    mailbox.answer("handle_RCPT", "", times=0)
    await pass_time(world, HOUR_S)
    assert (await get(world, dispatch_id)).status == "sent"


@pytest.mark.parametrize("moment", ["handle_RCPT", "handle_DATA"])
async def test_a_refused_mail_is_not_retried_and_logged(world, mailbox, moment, logs):
    mailbox.answer(moment, NOBODY)
    dispatch_id = await send(world, ANA)
    refused = await get(world, dispatch_id)
    assert (refused.status, refused.attempts, refused.next_at) == ("refused", 1, None)
    assert refused.reason == "recipient_refused"
    assert logs.getvalue().count("dispatch_refused") == 1
    assert "channel_paused" not in logs.getvalue()
    await pass_time(world, DAY_S)
    assert (await get(world, dispatch_id)).attempts == 1


async def test_an_expired_pincode_is_skipped_and_says_so(world, mailbox, logs):
    mailbox.answer("handle_RCPT", LATER)
    dispatch_id = await send(world, ANA, pincode)
    for _ in range(9):
        await pass_time(world, 60)
    assert (await get(world, dispatch_id)).status == "waiting"
    tries = (await get(world, dispatch_id)).attempts
    await pass_time(world, 61)
    skipped = await get(world, dispatch_id)
    assert (skipped.status, skipped.reason, skipped.sealed) == ("skipped", "expired", "")
    assert skipped.attempts == tries, "it was not tried once more"
    assert logs.getvalue().count("dispatch_skipped") == 1
    assert len(await world.stored("DELIVERY_SKIPPED")) == 1
    assert mailbox.mails == []


async def test_content_is_kept_only_for_failed_mails_of_users_without_secrets(world, mailbox):
    ana = await world.person("ana")
    mailbox.answer("handle_RCPT", NOBODY)
    failed, secret = await send(world, ana.email), await send(world, ana.email, pincode)
    stranger = await send(world, BEN)
    assert (await get(world, failed)).sealed
    assert not (await get(world, secret)).sealed
    gone = await get(world, stranger)
    assert (gone.sealed, gone.sealed_to) == ("", ""), "Ben has no account"
    mailbox.answer("handle_RCPT", "250 OK", times=0)
    sent = await send(world, ana.email)
    assert (await get(world, sent)).status == "sent"
    assert not (await get(world, sent)).sealed


async def test_the_mails_of_an_erased_user_are_deleted_and_not_sent(world, mailbox):
    ana = await world.person("ana")
    mailbox.answer("handle_RCPT", LATER, to=ana.email)
    dispatch_id = await send(world, ana.email)
    mailbox.answer("handle_RCPT", LATER, times=0)
    await world.transact(erasure.begin, ana.id)
    await pass_time(world, 60)
    assert dispatch_id not in [one.id for one in await all_dispatches(world)]
    [farewell] = await all_dispatches(world)
    assert (farewell.status, farewell.sealed_to, farewell.user_id) == ("sent", "", None)
    assert "News" not in [mail.subject for mail in mailbox.mails]


async def test_a_mail_that_names_an_erased_user_is_skipped(world, mailbox):
    ana, ben = await world.person("ana"), await world.person("ben")
    mailbox.answer("handle_RCPT", LATER, to=ana.email)
    about = NoticeMail("news", None, ben.id)
    dispatch_id = await send(world, ana.email, notice, notice=about)
    mailbox.answer("handle_RCPT", LATER, times=0)
    await world.transact(erasure.begin, ben.id)
    await pass_time(world, 60)
    skipped = await get(world, dispatch_id)
    assert (skipped.status, skipped.reason, skipped.kind) == ("skipped", "erased", "news")


async def test_a_mail_that_was_never_tried_does_not_expire_by_its_age(world, mailbox):
    """For example, because no instance ran for weeks."""
    await world.transact(lambda tx: tx.publish(notice(tx, ANA)))
    await pass_time(world, 30 * DAY_S)
    assert [mail.subject for mail in mailbox.mails] == ["News"]
