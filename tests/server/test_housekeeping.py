"""Housekeeping deletes old rows in small batches, and keeps those that are still needed."""

import pytest
from sqlalchemy import func, select

from handlers.kit.domain import Domain
from handlers.kit.ids import id_at
from server import housekeeping
from storage.events.idempotency import forget_keys, idempotency_keys
from storage.events.log import events, forget_events
from storage.events.throttles import throttles
from storage.platform.auth.known_devices import known_devices
from storage.platform.auth.sessions import refresh_tokens, sessions
from storage.platform.notifications.inbox import notifications
from storage.platform.pincodes import pincodes
from storage.platform.send import dispatches
from tests.server.test_heartbeat import fail_once
from tests.wire_client import Client
from tests.world import World, address_of, one_database, until

HOUR_S = 3_600
DAY_S = 86_400


@pytest.fixture
async def door(world: World) -> Client:
    return await world.visitor("/signup", "/auth")


async def tidy_after(world: World, seconds: float) -> None:
    await until(lambda: not world.app.gate.presence._reporting)
    await world.settle()
    world.clock.advance(seconds)
    await world.settle()
    await world.app.housekeeping.tidy()


async def count(world: World, table) -> int:
    counted = await world.read(lambda tx: tx.scalar(select(func.count()).select_from(table)))
    return int(counted)


async def refresh(door: Client, token: str) -> str:
    return (await door.call("/auth", "refresh", refresh_token=token))["refresh_token"]


async def test_the_address_of_an_unfinished_sign_up_is_deleted_within_hours(world, door):
    await door.call("/signup", "start", email=address_of("ana"))
    await tidy_after(world, HOUR_S)
    assert await count(world, pincodes) == 1, "it lived, and is kept for an hour"
    await door.call("/signup", "start", email=address_of("ana"))
    await tidy_after(world, HOUR_S)
    assert await count(world, pincodes) == 1, "asked for anew"
    await tidy_after(world, HOUR_S)
    assert await count(world, pincodes) == 0


async def test_attempts_are_counted_for_a_day_and_then_deleted(world, door):
    await door.call("/signup", "start", email=address_of("ana"))
    await door.ask("/auth", "login", {"email": address_of("ana"), "password": "wrong"})
    assert await count(world, throttles) == 4
    await tidy_after(world, 2 * HOUR_S)
    assert await count(world, throttles) == 3, "the mails of an hour are over"
    await tidy_after(world, DAY_S)
    assert await count(world, throttles) == 0


async def test_a_device_unused_for_long_is_deleted(world, door):
    await world.person("ana")
    kept_s = world.app.kernel.rules.span("devices_known_days").total_seconds()
    await tidy_after(world, kept_s - 1)
    assert await count(world, known_devices) == 1
    await tidy_after(world, 2)
    assert await count(world, known_devices) == 0


async def test_sent_mails_are_deleted_with_their_events(world, door):
    await door.call("/signup", "start", email=address_of("ana"))
    await tidy_after(world, 6 * DAY_S)
    assert await count(world, dispatches) == 1
    await tidy_after(world, 2 * DAY_S)
    assert await count(world, dispatches) == 0


async def test_a_spent_refresh_token_is_known_as_long_as_a_session_can_last(world, door):
    ana = await world.person("ana")
    first = ana.session["refresh_token"]
    token = await refresh(door, first)
    for _ in range(2):
        await tidy_after(world, 29 * DAY_S)
        token = await refresh(door, token)
    assert await count(world, refresh_tokens) == 4
    await tidy_after(world, 3 * DAY_S)
    assert await count(world, refresh_tokens) == 3, "the first is gone"
    assert await refresh(door, token), "the session goes on"


async def test_an_incomplete_file_of_a_stopped_instance_is_deleted(world):
    half = world.settings.data_dir / "files" / "exports" / "x.0123456789abcdef.coming"
    half.parent.mkdir(parents=True)
    half.write_text("half of what is kept of somebody")
    await world.restart()
    await tidy_after(world, HOUR_S)
    assert half.exists(), "it may be on its way"
    await tidy_after(world, DAY_S + 2 * HOUR_S)
    assert not half.exists()


async def test_an_ended_session_is_deleted_with_its_tokens(world, door):
    ana = await world.person("ana")
    other = await world.another_session(ana)
    token = await refresh(door, ana.session["refresh_token"])
    await door.call("/auth", "logout", refresh_token=token)
    await tidy_after(world, 29 * DAY_S)
    assert await count(world, sessions) == 2
    await tidy_after(world, 2 * DAY_S)
    assert await count(world, sessions) == 1
    assert await count(world, refresh_tokens) == 1
    assert await refresh(door, other.session["refresh_token"])


@pytest.mark.settings(PARLEY_NOTIFICATIONS_KEPT_DAYS="20", PARLEY_SESSIONS_KEPT_DAYS="5")
async def test_retention_periods_are_settings(world, door):
    ana = await world.person("ana")
    await door.call("/auth", "logout", refresh_token=ana.session["refresh_token"])
    await tidy_after(world, 4 * DAY_S)
    assert (await count(world, sessions), await count(world, notifications)) == (1, 1)
    await tidy_after(world, 2 * DAY_S)
    assert (await count(world, sessions), await count(world, notifications)) == (0, 1)
    await tidy_after(world, 15 * DAY_S)
    assert await count(world, notifications) == 0


async def test_many_old_rows_are_deleted_in_batches(world, monkeypatch):
    ana = await world.person("ana")
    for number in range(5):
        await ana.call("/profile", "update", first_name=str(number), request_id=str(number))
    await world.settle()
    many = await count(world, events)
    world.clock.advance(31 * DAY_S)
    now = world.clock.now()
    assert await world.transact(forget_keys, now, 2) == 2
    assert await world.transact(forget_events, id_at(now), 2) == 2
    assert (await count(world, idempotency_keys), await count(world, events)) == (3, many - 2)
    monkeypatch.setattr(housekeeping, "CHUNK", 2)
    await world.app.housekeeping.tidy()
    assert (await count(world, idempotency_keys), await count(world, events)) == (0, 0)


async def test_an_event_is_kept_until_every_consumer_has_processed_it(world, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "serve", lambda queue: None)
        ana = await world.person("ana")
        world.clock.advance(8 * DAY_S)
        await world.app.housekeeping.tidy()
    await world.settle()
    told = (await ana.call("/notifications", "list"))["notifications"]
    assert [one["kind"] for one in told] == ["welcome"]
    await tidy_after(world, 8 * DAY_S)
    assert await count(world, events) == 0


@one_database
async def test_housekeeping_begins_soon_after_the_start(make_world, monkeypatch):
    monkeypatch.setattr(housekeeping, "FIRST_AFTER_S", 0.02)
    tidied = []

    async def tidy(self) -> None:
        tidied.append(self)

    monkeypatch.setattr(housekeeping.Housekeeping, "tidy", tidy)
    world = await make_world()
    await until(lambda: tidied == [world.app.housekeeping])


async def test_housekeeping_that_failed_is_followed_by_the_next(make_world, monkeypatch):
    monkeypatch.setattr(housekeeping, "FIRST_AFTER_S", 0.02)
    monkeypatch.setattr(housekeeping, "EVERY_S", 0.02)
    world = await make_world()
    failures = await fail_once(world, monkeypatch, world.app.housekeeping, "tidy")
    await until(lambda: len(failures) > 2)


async def test_a_round_is_limited_and_reports_remaining_rows(world, monkeypatch):
    ana = await world.person("ana")
    for number in range(7):
        await ana.call("/profile", "update", first_name=str(number), request_id=str(number))
    await world.settle()
    world.clock.advance(31 * DAY_S)
    monkeypatch.setattr(housekeeping, "CHUNK", 2)
    monkeypatch.setattr(housekeeping, "CHUNKS_MAX", 2)
    assert await world.app.housekeeping.tidy()
    assert await count(world, idempotency_keys) == 3
    assert await world.app.housekeeping.tidy(), "events are more"
    assert await count(world, idempotency_keys) == 0


@one_database
async def test_a_round_that_left_rows_is_followed_soon_by_the_next(make_world, monkeypatch):
    monkeypatch.setattr(housekeeping, "FIRST_AFTER_S", 0.02)
    monkeypatch.setattr(housekeeping, "SOON_S", 0.02)
    rounds = []

    async def tidy(self) -> bool:
        rounds.append(self)
        return len(rounds) < 3

    monkeypatch.setattr(housekeeping.Housekeeping, "tidy", tidy)
    await make_world()
    await until(lambda: len(rounds) == 3)


@one_database
async def test_a_failing_retention_does_not_stop_the_others(make_world, logs):
    shop, asked = Domain("shop"), []

    @shop.forgets(kept="sessions_kept_days")
    def forget_carts(tx, before, limit):
        raise RuntimeError("what nobody foresaw")

    @shop.forgets(kept="sessions_kept_days")
    def forget_orders(tx, before, limit):
        asked.append((before, limit))
        return 0

    world = await make_world((shop,))
    began = world.clock.now()
    await world.app.housekeeping.tidy()
    kept = world.app.kernel.rules.span("sessions_kept_days")
    ((before, limit),) = asked
    assert began - kept <= before <= world.clock.now() - kept
    assert limit == housekeeping.CHUNK
    assert "not_forgotten" in logs.getvalue()
    assert "shop.forget_carts" in logs.getvalue()


def test_two_retentions_of_one_name_are_refused():
    def forget(tx, before, limit):
        return 0

    shop = Domain("shop")
    shop.forgets(kept="sessions_kept_days")(forget)
    with pytest.raises(TypeError, match=r"shop\.forget is declared twice"):
        shop.forgets(kept="events_kept_days")(forget)
