"""A fault of ours pauses a channel and ends no mail; the channel probes, and resumes by itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from handlers.platform.send import channels, service
from handlers.platform.send.outcomes import SENT, Outcome
from storage.platform.send import PausedChannel, list_paused
from tests.parts.mail import Mailbox, make_certificate, running_mailbox
from tests.parts.ports import free_port
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

PROBE_S = 61
"""Longer than the longest pause between two probes."""


async def paused(world: World) -> PausedChannel | None:
    return next(iter(await world.read(list_paused)), None)


async def states(world: World) -> list[str]:
    return [one.status for one in await all_dispatches(world)]


async def test_a_mail_server_that_is_down_for_days_gets_all_mails_when_it_returns(make_world, logs):
    port = free_port()
    world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{port}")
    for number in range(120):  # more than a page of the release
        await world.transact(lambda tx, n: tx.publish(notice(tx, f"u{n}@example.org")), number)
    for _ in range(60):
        await pass_time(world, HOUR_S)
    assert set(await states(world)) == {"waiting"}
    found = await paused(world)
    assert found
    assert found.reason == "no_connection"
    assert logs.getvalue().count("channel_paused") == 1
    async with running_mailbox(port=port) as mailbox:
        await pass_time(world, PROBE_S)
        assert set(await states(world)) == {"sent"}
        recipients = [mail.recipients[0] for mail in mailbox.mails]
        assert len(recipients) == len(set(recipients)) == 120
    assert await paused(world) is None
    assert logs.getvalue().count("channel_resumed") == 1


@pytest.mark.stopped_clock
async def test_a_paused_channel_tries_one_mail_at_a_time(make_world):
    world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    first = await send(world, ANA)
    assert (await get(world, first)).attempts == 1
    for number in range(9):
        await send(world, f"user{number}@example.org")
    tries = [one.attempts for one in await all_dispatches(world)]
    assert tries == [1] + [0] * 9, "the others were not tried"
    await pass_time(world, 6)
    for _ in range(5):
        await pass_time(world, PROBE_S)
    tries = [one.attempts for one in await all_dispatches(world)]
    assert sum(tries) == 7, "one for each probe"
    assert max(tries) <= 2, "they take turns"


async def test_pauses_between_probes_grow_to_a_minute(make_world):
    world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    await send(world, ANA)
    for _ in range(40):
        await pass_time(world, 30)
    found = await paused(world)
    assert found
    assert 15 <= found.probes <= 25


async def test_a_pincode_that_expires_during_a_pause_is_skipped(make_world):
    world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    tried, untried = await send(world, ANA, pincode), await send(world, BEN, pincode)
    waiting = await send(world, BEN)
    await pass_time(world, 601)
    for expired in (tried, untried):
        found = await get(world, expired)
        assert (found.status, found.reason) == ("skipped", "expired")
    assert (await get(world, waiting)).status == "waiting"


async def test_a_mail_that_waited_for_a_week_is_skipped(make_world):
    world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    dispatch_id = await send(world, ANA)
    await pass_time(world, 7 * DAY_S + 1)
    assert (await get(world, dispatch_id)).reason == "expired"


@pytest.fixture
async def secured(tmp_path, monkeypatch) -> AsyncIterator[Mailbox]:
    """A mail server with a certificate that this machine trusts."""
    file = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with running_mailbox(file) as mailbox:
        yield mailbox


async def test_a_wrong_password_pauses_the_channel_until_it_is_right(make_world, secured, logs):
    secured.accepts_logins = False
    url = f"smtp://parley:secretword@127.0.0.1:{secured.port}"
    world = await make_world(PARLEY_MAIL_URL=url)
    ids = [await send(world, to) for to in (ANA, BEN)]
    await pass_time(world, HOUR_S)
    assert await states(world) == ["waiting", "waiting"]
    found = await paused(world)
    assert found
    assert (found.reason, found.reply[:12]) == ("sign_in_refused", "sign-in: 535")
    assert logs.getvalue().count("channel_paused") == 1
    assert "secretword" not in logs.getvalue()
    secured.accepts_logins = True
    await pass_time(world, PROBE_S)
    assert [(await get(world, one)).status for one in ids] == ["sent", "sent"]


@pytest.mark.parametrize(
    ("moment", "reply", "reason"),
    [
        ("handle_MAIL", "550 5.7.1 you may not send as this address", "sender_refused"),
        ("handle_MAIL", "451 4.3.0 try again later", "server_unavailable"),
        ("handle_RCPT", "553 5.1.8 sender rejected: domain not found", "sender_refused"),
        ("handle_RCPT", "554 5.7.1 relay access denied", "not_permitted"),
        ("handle_DATA", "550 5.7.26 unauthenticated sender", "not_permitted"),
        ("handle_DATA", "452 4.3.1 insufficient system storage", "server_unavailable"),
    ],
)
async def test_a_fault_of_ours_is_not_the_recipients(make_world, mailbox, moment, reply, reason):
    mailbox.answer(moment, reply)
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    for to in (ANA, BEN):
        await send(world, to)
    await pass_time(world, 3 * DAY_S)
    assert await states(world) == ["waiting", "waiting"]
    found = await paused(world)
    assert found
    assert found.reason == reason
    mailbox.answer(moment, "", times=0)
    for _ in range(3):
        await pass_time(world, PROBE_S)
    assert await states(world) == ["sent", "sent"]


async def test_a_port_of_another_service_pauses_the_channel(make_world):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{port}")
        dispatch_id = await send(world, ANA)
        assert (await get(world, dispatch_id)).reason == "no_connection"
        assert await paused(world)


@pytest.mark.stopped_clock
async def test_a_mail_that_is_refused_by_policy_while_others_get_through_does_not_stop_them(
    make_world, mailbox, logs
):
    mailbox.answer("handle_RCPT", "550 5.7.1 not wanted here", to=ANA)
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    suspicious = await send(world, ANA)
    assert await paused(world), "it may be our fault"
    other = await send(world, BEN)
    await pass_time(world, PROBE_S)
    assert (await get(world, other)).status == "sent"
    assert await paused(world) is None
    for _ in range(60):
        await pass_time(world, HOUR_S)
        assert await paused(world) is None
    given_up = await get(world, suspicious)
    assert (given_up.status, given_up.reason) == ("given_up", "not_permitted")
    assert logs.getvalue().count("channel_paused") == 1


async def test_an_answer_about_a_recipient_resumes_the_channel(make_world, mailbox):
    mailbox.answer("handle_RCPT", "421 4.3.2 closing", times=1)
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    await send(world, ANA)
    assert await paused(world)
    mailbox.answer("handle_RCPT", "550 5.1.1 nobody here", to=ANA)
    await send(world, BEN)
    await pass_time(world, PROBE_S)
    assert await states(world) == ["refused", "sent"]


async def test_a_folder_that_cannot_be_written_pauses_the_channel(make_world, tmp_path):
    folder = tmp_path / "mails"
    folder.write_text("a file")
    world = await make_world(PARLEY_MAIL_URL=f"file:{folder}")
    dispatch_id = await send(world, ANA)
    found = await paused(world)
    assert found
    assert found.reason == "folder_not_writable"
    folder.unlink()
    await pass_time(world, PROBE_S)
    assert (await get(world, dispatch_id)).status == "sent"


async def test_a_probe_whose_mail_is_stuck_does_not_stop_the_probes(make_world, monkeypatch):
    """Its delivery is parked, as after a bug; the next probe takes another mail."""
    world = await make_world(PARLEY_MAIL_URL=f"smtp://127.0.0.1:{free_port()}")
    stuck, other = await send(world, ANA), await send(world, BEN)
    find_content = service.find_content

    def find(tx, event):
        if event.dispatch_id == stuck:
            raise RuntimeError
        return find_content(tx, event)

    monkeypatch.setattr(service, "find_content", find)
    for _ in range(10):
        await pass_time(world, PROBE_S)
    world.app.kernel.channels["email"]._carry = accept_all
    for _ in range(3):
        await pass_time(world, PROBE_S)
    assert (await get(world, other)).status == "sent"


async def accept_all(letter: object) -> Outcome:
    return SENT


@pytest.mark.with_server
async def test_metrics_count_outcomes_and_show_the_pause_and_the_oldest_mail(make_world, mailbox):
    mailbox.answer("handle_RCPT", "550 5.1.1 nobody here", to=BEN)
    world = await make_world(PARLEY_MAIL_URL=url_of(mailbox))
    found = await world.metrics()
    assert found['parley_channel_paused{channel="email"}'] == 0
    assert found['parley_dispatches_oldest_waiting_seconds{channel="email"}'] == 0
    await send(world, ANA)
    await send(world, BEN)
    mailbox.answer("handle_MAIL", "550 5.7.1 no")
    await send(world, ANA)
    await pass_time(world, 100)
    found = await world.metrics()
    assert found[counter("sent", "")] == 1
    assert found[counter("refused", "recipient_refused")] == 1
    assert found[counter("fault", "sender_refused")] >= 1
    assert found['parley_channel_paused{channel="email"}'] == 1
    assert found['parley_dispatches_waiting{channel="email"}'] == 1
    assert 99 < found['parley_dispatches_oldest_waiting_seconds{channel="email"}'] < 200


def counter(outcome: str, reason: str) -> str:
    labels = f'channel="email",outcome="{outcome}",reason="{reason}"'
    return f"parley_dispatches_total{{{labels}}}"


@pytest.mark.both_databases
async def test_a_fault_that_two_instances_see_is_reported_once(make_world, database_kind, logs):
    if database_kind == "sqlite":
        return  # it serves one instance
    url = f"smtp://127.0.0.1:{free_port()}"
    one, two = await make_world(PARLEY_MAIL_URL=url), await make_world(PARLEY_MAIL_URL=url)
    for world in (one, two):
        await world.transact(lambda tx: tx.publish(notice(tx, ANA)))
    await one.settle()
    await two.settle()
    assert logs.getvalue().count("channel_paused") == 1


def test_the_longest_pause_between_probes_is_short_for_a_pincode():
    assert channels.PROBE_MAX_S <= 60
