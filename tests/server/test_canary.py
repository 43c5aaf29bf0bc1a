"""A known password, pincode, token or text never appears in logs, errors or the database."""

import re
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select

from handlers.platform.send.outcomes import Outcome
from storage.engine.columns import metadata
from storage.events.log import events
from storage.platform.send import dispatches
from tests.kit import probe as probes
from tests.kit.probe import NAMESPACE
from tests.wire_client import Client, Refused
from tests.world import Process, World, address_of, text_of, until

PASSWORD = "canary password 7f3a"
WRONG = "canary wrong 91bd"
TEXT = "canary text 55e0"
TOKEN = "canary.token.c0de"
ANA = address_of("ana")


@pytest.fixture
def domains(switches):
    return (probes.probe, probes.listener, probes.carrier)


async def live_a_life(host: World | Process, stranger: Client) -> list[str]:
    """Sign up, log in, refresh and log out, with and without errors; returns the secrets used."""
    await stranger.enter("/signup", "/auth")
    await stranger.call("/signup", "start", email=ANA)
    pincode = await host.mails.pincode(ANA)
    form = {"email": ANA, "first_name": "Ana", "last_name": "Example", "password": PASSWORD}
    wrong = f"{(int(pincode) + 1) % 1_000_000:06d}"
    for tried in (wrong, pincode, pincode):
        await stranger.ask("/signup", "complete", {**form, "pincode": tried})
    await stranger.ask("/signup", "complete", {**form, "pincode": pincode, "password": "x"})
    await stranger.ask("/auth", "login", {"email": ANA, "password": WRONG})
    await stranger.ask("/auth", "login", {"email": ANA, "password": [WRONG]})
    await stranger.ask("/auth", "refresh", {"refresh_token": TOKEN})
    with pytest.raises(Refused):
        await stranger.enter("/profile", token=TOKEN)
    first = await stranger.call("/auth", "login", email=ANA, password=PASSWORD)
    ana = await host.connect(first["access_token"])
    await ana.enter("/profile")
    change = {"current_password": WRONG, "new_password": PASSWORD + "!"}
    await ana.ask("/profile", "change_password", change)
    await ana.ask("/profile", "change_password", {**change, "current_password": PASSWORD})
    second = await stranger.call("/auth", "refresh", refresh_token=first["refresh_token"])
    await ana.ask("/profile", "update", {"first_name": TEXT, "settings": {"a": [TEXT]}})
    await ana.ws.send_str(f'42/profile,["update",{{"first_name":"{TEXT}"')
    await stranger.ask("/auth", "logout", {"refresh_token": second["refresh_token"]})
    await until(lambda: ana.closed.is_set())
    tokens = [one[name] for one in (first, second) for name in ("access_token", "refresh_token")]
    return [pincode, wrong, PASSWORD, WRONG, TEXT, TOKEN, *tokens]


def found_in(text: str, secrets: list[str]) -> list[str]:
    """The secrets in a text; a pincode counts only as a separate word."""
    return [one for one in secrets if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", text)]


def error_bodies(client: Client) -> str:
    errors = [f for f in client.frames if '"ok":false' in f or f.startswith("44")]
    assert len(errors) >= 6
    return "\n".join(errors)


async def everything_stored(world: World) -> str:
    def read(tx):
        columns = [column for table in metadata.sorted_tables for column in table.columns]
        return [tx.scalars(one.table.select().with_only_columns(one)) for one in columns]

    return str(await world.app.database.read(read))


async def test_no_secret_appears_in_logs_error_bodies_or_the_database(world, logs):
    stranger = await world.connect()
    secrets = await live_a_life(world, stranger)
    await world.settle()
    assert found_in(logs.getvalue(), secrets) == []
    assert found_in(error_bodies(stranger), secrets) == []
    stored = await everything_stored(world)
    assert ANA in stored, "or it was not read at all"
    assert found_in(stored, secrets) == []
    assert "Traceback" not in logs.getvalue()


async def test_a_pincode_that_waits_for_its_mail_is_sealed_too(world, monkeypatch, logs):
    pincodes = []

    async def refuse(letter):
        mail = message_from_bytes(letter.message, policy=policy.default)
        pincodes.extend(re.findall(r"\b\d{6}\b", text_of(mail)))
        return Outcome("deferred", "recipient_unavailable", "away")

    monkeypatch.setattr(world.app.kernel.channels["email"], "_carry", refuse)
    stranger = await world.visitor("/signup")
    await stranger.call("/signup", "start", email=ANA)
    await world.settle()
    stored = await everything_stored(world)
    assert ANA in stored
    assert pincodes
    assert found_in(stored, pincodes) == []
    assert found_in(logs.getvalue(), pincodes) == []


async def test_a_pincode_is_wiped_after_it_is_sent(world):
    stranger = await world.visitor("/signup")
    await stranger.call("/signup", "start", email=ANA)
    await world.mails.pincode(ANA)
    await world.settle()
    said = select(events.c.data).where(events.c.name == "platform.SEND_NOTIFICATION")
    assert await world.read(lambda tx: tx.scalars(said)) == [""]
    kept = await world.read(lambda tx: tx.scalars(select(dispatches.c.sealed)))
    assert kept == [""]


async def test_no_text_appears_in_errors(world, logs, switches, monkeypatch):
    ana = await world.person("ana")
    switches.broken.add(TEXT)
    for command, ask in (
        ("break_down", {"text": TEXT}),
        ("break_inside", {"text": TEXT}),
        ("refuse", {"text": TEXT}),
        ("say", {"text": TEXT}),
    ):
        await ana.enter(NAMESPACE) if NAMESPACE not in ana.client.synced else None
        await ana.client.ask(NAMESPACE, command, ask)
    for _ in range(3):
        await world.settle()
        world.clock.advance(61)
    shown = logs.getvalue()
    assert "command_failed" in shown
    assert "delivery_failed" in shown
    assert TEXT not in shown
    parked = await everything_errors(world)
    assert TEXT not in parked


async def everything_errors(world: World) -> str:
    from storage.events.deliveries import deliveries

    return str(await world.read(lambda tx: tx.scalars(deliveries.select().with_only_columns(
        deliveries.c.error))))  # fmt: skip


@pytest.mark.settings(PARLEY_LOG="json")
async def test_a_real_process_shows_no_secrets_either(process):
    stranger = await process.connect()
    secrets = await live_a_life(process, stranger)
    assert process.stop() == 0
    shown = process.log
    assert '"event": "serving"' in shown
    assert found_in(shown, secrets) == []
    assert "Traceback" not in shown
