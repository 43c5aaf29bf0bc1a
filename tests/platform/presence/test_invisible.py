"""Invisible users: others see them as offline, whatever their devices do."""

import pytest

from handlers.platform.presence import service
from tests.platform.chat.scenes import say, talk
from tests.platform.presence.test_blocked import ephemeral_events_of, reconnect_after_grace_period
from tests.platform.presence.test_blocked import state_of as seen
from tests.world import Person, World, until

PRESENCE = "/presence"

pytestmark = pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.3")


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter(PRESENCE, "/chat")


@pytest.fixture
async def ben(world: World, ana: Person) -> Person:
    """A user who watches Ana, who is online."""
    ben = await (await world.person("ben")).enter(PRESENCE, "/chat")
    await until(lambda: _is_online(ben, ana))
    ben.client.heard.clear()
    return ben


async def _is_online(watcher: Person, person: Person) -> bool:
    return bool((await seen(watcher, person))["online"])


async def set_invisible(person: Person, on: bool = True) -> dict:
    return await person.call(PRESENCE, "set_invisible", on=on)


async def settled(world: World, ana: Person, ben: Person) -> None:
    """Wait until Ben has every event about Ana: a status of his own comes after them."""
    await until(lambda: not world.app.gate.presence._reporting)
    await world.settle()
    await ben.call(PRESENCE, "watch", user_ids=[ben.id])
    await ben.call(PRESENCE, "set_status", status="away")
    await ben.event("status_changed", lambda data: data["user_id"] == ben.id)


async def test_watchers_see_an_invisible_user_go_offline_and_come_back(world, ana, ben):
    assert await set_invisible(ana) == {"status": "active", "invisible": True}
    gone = await ben.event("USER_OFFLINE")
    state = await seen(ben, ana)
    assert state == {"online": False, "status": "active", "last_seen_at": gone.data["at"]}
    assert await seen(ana, ana) == state, "users see themselves as others do"
    world.clock.advance(60)
    await set_invisible(ana)
    assert await seen(ben, ana) == state, "a repetition changes nothing"
    await set_invisible(ana, False)
    back = await ben.event("USER_ONLINE")
    assert await seen(ben, ana) == {**state, "online": True, "last_seen_at": back.data["at"]}
    assert ephemeral_events_of(ben.client, ana) == ["USER_OFFLINE", "USER_ONLINE"]


async def test_devices_that_connect_and_leave_change_nothing_that_others_see(world, ana, ben):
    await set_invisible(ana)
    before = await seen(ben, ana)
    changed_at = (await _row(world, ana)).changed_at
    world.clock.advance(60)
    await reconnect_after_grace_period(world, ana)
    assert await ana.call(PRESENCE, "me") == {"status": "active", "invisible": True, "seq": 1}
    await settled(world, ana, ben)
    assert await seen(ben, ana) == before
    assert ephemeral_events_of(ben.client, ana) == ["USER_OFFLINE"]
    assert (await _row(world, ana)).changed_at == changed_at, "no resync tells of it"
    events, _ = await world.read(service.resync, world.clock.now().replace(year=2000), "")
    about = [(one.name, one.data) for one in events if one.data.user_id == ana.id]
    assert [name for name, _ in about] == ["USER_OFFLINE", "status_changed"]
    assert about[0][1].at.isoformat().replace("+00:00", "Z") == before["last_seen_at"]


async def test_a_status_that_is_set_meanwhile_shows_when_the_user_is_visible_again(world, ana, ben):
    phone = await (await ana.device()).enter(PRESENCE)
    await set_invisible(ana)
    await phone.event("VISIBILITY_CHANGED", lambda data: data["invisible"])
    await ana.call(PRESENCE, "set_status", status="busy")
    told = await phone.event("HIDDEN_STATUS_SET")
    assert told.data == {"user_id": ana.id, "status": "busy", "invisible": True}
    assert (await ana.call(PRESENCE, "me"))["status"] == "busy"
    assert (await seen(ben, ana))["status"] == "active"
    await set_invisible(ana, False)
    await ben.event("status_changed", lambda data: data["status"] == "busy")
    assert (await seen(ben, ana))["status"] == "busy"
    shown = ephemeral_events_of(ben.client, ana)
    assert shown == ["USER_OFFLINE", "USER_ONLINE", "status_changed"]
    assert ben.events("VISIBILITY_CHANGED") == ben.events("HIDDEN_STATUS_SET") == []


async def test_a_device_that_returns_learns_that_another_one_became_invisible(world, ana):
    since = {f"user:{ana.id}": 0}
    phone = await ana.device()
    await set_invisible(ana)
    await phone.enter(PRESENCE, since=since, epoch=ana.client.synced[PRESENCE]["epoch"])
    assert [one.data["invisible"] for one in phone.events("VISIBILITY_CHANGED")] == [True]


async def test_typing_and_delivery_marks_do_not_show_an_invisible_user(world, ana, ben):
    chat = await talk(ana, ben)
    there = {"conversation_id": chat}
    await set_invisible(ana)
    sent = await say(ben, chat, "are you there?")
    await ben.event("MESSAGE_SENT")  # Ben is in the room, so he would hear of typing
    assert await ana.call("/chat", "typing", **there) == {}
    await ana.call("/chat", "mark_delivered", **there, seq=sent["seq"])
    await settled(world, ana, ben)
    assert ben.events("typing") == ben.events("MESSAGE_DELIVERED") == []
    receipts = await ben.call("/chat", "receipts", message_id=sent["id"])
    assert receipts == {"read": [], "delivered": []}
    await set_invisible(ana, False)
    await world.settle()
    marked = await ben.event("MESSAGE_DELIVERED")
    assert marked.data == {"conversation_id": chat, "user_id": ana.id, "seq": sent["seq"]}
    receipts = await ben.call("/chat", "receipts", message_id=sent["id"])
    assert [one["user_id"] for one in receipts["delivered"]] == [ana.id]
    await ana.call("/chat", "typing", **there)
    await ben.event("typing")


async def test_reading_on_purpose_still_shows(world, ana, ben):
    chat = await talk(ana, ben)
    await set_invisible(ana)
    sent = await say(ben, chat, "are you there?")
    await ana.call("/chat", "mark_read", conversation_id=chat, seq=sent["seq"])
    await ben.event("MESSAGE_READ")


async def _row(world: World, person: Person):
    rows = await world.read(lambda tx: service.store.list_presences(tx, [person.id]))
    return rows[person.id]
