"""Installations with some systems off: what they serve, and which events wait."""

from datetime import timedelta

import aiohttp
import pytest

from handlers.consulting.booking.contracts import HoldDue
from handlers.kit.contract import encode, stored_name
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry
from server.systems import served_systems, waiting_events
from storage.events import deliveries, timers
from tests.consulting.availability.practice import open_practice
from tests.kit.probe import ProbeSaid, Say, hear_it, say_it
from tests.wire_client import Refused
from tests.world import World, one_database

DAY = timedelta(days=1)
OF_CONSULTING = "consulting/pages/consultants.js"
platform_alone = pytest.mark.settings(PARLEY_SYSTEMS="")


async def refused_at(world: World, namespace: str) -> str:
    """The code of the refusal to enter a namespace."""
    ana = await world.person("ana")
    with pytest.raises(Refused) as refused:
        await ana.enter(namespace)
    return refused.value.code


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status


async def text_of(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return await answer.text()


@platform_alone
async def test_the_platform_alone_signs_people_up_and_lets_them_chat(world):
    ana, ben = await world.sign_up("ana"), await world.person("ben")
    await ben.enter("/chat")
    conversation = await ana.call("/chat", "open", user_id=ben.id)
    said = {"conversation_id": conversation["id"], "client_id": "1", "text": "Hello"}
    await ana.call("/chat", "send", **said)
    heard = await ben.event("MESSAGE_SENT", lambda data: data["message"]["text"] == "Hello")
    assert heard.data["message"]["sender_id"] == ana.id


@one_database
@platform_alone
@pytest.mark.parametrize(
    "namespace", ["/consultants", "/availability", "/booking", "/waiting-room", "/call"]
)
async def test_a_system_that_is_off_has_no_namespace(world, namespace):
    assert await refused_at(world, namespace) == "UNKNOWN_NAMESPACE"


@one_database
@platform_alone
async def test_a_system_that_is_off_has_no_page_and_no_docs(world):
    assert await status_of(f"{world.url}/client/{OF_CONSULTING}") == 404
    assert await status_of(f"{world.url}/client/{'0' * 16}/{OF_CONSULTING}") == 404
    assert await status_of(f"{world.url}/client/platform/pages/login.js") == 200
    assert '<meta name="parley-systems" content="platform">' in await text_of(world.url)
    assert '"/booking"' not in await text_of(f"{world.url}/docs/contracts.d.ts")


@one_database
async def test_all_systems_are_served_unless_some_are_named(world):
    assert await status_of(f"{world.url}/client/{OF_CONSULTING}") == 200
    assert 'name="parley-systems" content="consulting platform">' in await text_of(world.url)
    assert '"/booking"' in await text_of(f"{world.url}/docs/contracts.d.ts")


async def test_timers_due_while_a_system_is_off_fire_when_it_is_on_again(make_world, clock):
    world = await make_world()
    practice, sam = await open_practice(world), await world.person("sam")
    booking = await practice.ask(sam)
    await world.stop()
    clock.advance(DAY.total_seconds() + 1)
    without = await make_world(PARLEY_SYSTEMS="")
    await without.app.timers.fire()
    assert await without.stored(HoldDue.NAME) == []
    await without.stop()
    await world.start()
    await world.settle()
    assert len(await world.stored(HoldDue.NAME)) == 1
    device = await sam.device()
    await device.enter("/booking")
    found = await device.call("/booking", "get", booking_id=booking["id"])
    assert found["status"] == "expired"


@platform_alone
async def test_waiting_timers_delay_no_other(world):
    def set_many(tx):
        for number in range(2 * 100):
            event = HoldDue(booking_id=f"{number:036}")
            timers.set_timer(tx, f"hold:{number}", tx.now, stored_name(HoldDue), encode(event))
        tx.publish_later(ProbeSaid(text="due", room="hall", by_key="one"), tx.now, "probe")

    await world.transact(set_many)
    world.clock.advance(60)
    assert await world.app.timers.fire() == 1
    assert [said["text"] for said in await world.stored("PROBE_SAID")] == ["due"]
    assert await world.stored(HoldDue.NAME) == []
    assert len(await world.read(timers.list_due_timers, world.clock.now(), 1_000)) == 200


@platform_alone
async def test_deliveries_for_a_system_that_is_off_are_kept(world):
    event = HoldDue(booking_id="0" * 36)
    await world.transact(lambda tx: tx.publish(event))
    await world.app.relay.sweep()
    await world.app.relay.idle()
    waits = "consulting.booking.expire_the_request"
    waiting = await world.read(deliveries.list_due, world.clock.now(), 10, [waits])
    assert [queue.consumer for queue in waiting] == [waits]


async def test_a_system_switched_on_later_gets_earlier_events(make_world, switches):
    """Its deliveries wait from the upgrade on; earlier events are its backfill."""
    late = Domain("late", system="consulting")
    late.consumer(ProbeSaid, backfill=True)(hear_it)
    world = await make_world()
    await world.transact(say_it, Say(text="before the upgrade", room="hall"))
    await world.stop()
    without = await make_world((late,), PARLEY_SYSTEMS="")
    await without.transact(say_it, Say(text="while it was off", room="hall"))
    await without.app.registration.confirm()
    await without.stop()
    on = await make_world((late,))
    await on.settle()
    noted = [said["text"] for said in await on.stored("PROBE_NOTED")]
    assert noted == ["before the upgrade", "while it was off"]


def test_two_systems_may_have_a_domain_of_one_name():
    one, other = (
        Domain("search", "/a", system="platform"),
        Domain("search", "/b", system="learning"),
    )
    registry = Registry((one, other))
    assert registry.by_key == {"platform.search": one, "learning.search": other}
    assert registry.serving([]).domains == (one,)
    assert registry.serving(["learning"]).domains == (one, other)


def test_the_platform_is_always_served():
    assert served_systems(()) == {"platform"}
    assert served_systems(("consulting",)) == served_systems(("all",)) == {"platform", "consulting"}
    assert stored_name(HoldDue) in waiting_events(served_systems(()))
    assert not waiting_events(served_systems(("all",)))
