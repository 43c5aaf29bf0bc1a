"""Ephemeral events reach the members and listeners of a room."""

import pytest

from rooms.replay import Wanted
from storage.events.log import Membership
from tests.rooms.hall import CLUB, HALL, Member
from tests.world import until


@pytest.fixture
async def member(hall):
    member = Member("ana")
    await hall.enter(member)
    return member


async def test_an_ephemeral_event_reaches_members_and_listeners_and_is_not_stored(hall, member):
    listener, speaker = Member("ben"), Member("cleo")
    await hall.rooms.ephemeral.listen(listener, [HALL])
    await hall.enter(speaker)
    hall.rooms.ephemeral.publish("/hall", "hall", "typing", {}, skip=speaker)
    assert member.sent[-1] == listener.sent[-1] == "typing"
    assert speaker.sent == ["greeted"]
    await hall.say()
    assert member.numbers() == [1]
    assert listener.sent == ["typing"], "listeners hear ephemeral events only"


async def test_a_listener_that_follows_the_same_room_receives_its_events(hall):
    listener = Member("ben")
    await hall.rooms.ephemeral.listen(listener, [HALL])

    async def head() -> int:
        return 0

    (await hall.rooms.follow(listener, HALL, head))()
    await hall.say()
    assert listener.numbers() == [1]


async def test_a_member_that_also_listens_receives_each_ephemeral_event_once(hall):
    both = Member("ben")
    await hall.enter(both)
    await hall.rooms.ephemeral.listen(both, [HALL])
    hall.rooms.ephemeral.publish("/hall", "hall", "typing", {})
    assert both.sent == ["greeted", "typing"]


async def test_an_event_lets_a_listener_join_the_room_that_it_listens_to(hall):
    ana = Member("ana")
    await hall.enter(ana)
    await hall.rooms.ephemeral.listen(ana, [CLUB])
    await hall.say(HALL, CLUB, membership=(Membership("ana", CLUB, True, 1),))
    await until(lambda: ana.numbers("club") == [1])


async def test_a_stream_is_subscribed_while_it_has_a_member_or_a_listener(hall, monkeypatch):
    bus, subscribed = hall.rooms._bus, set()

    async def subscribe(*names: str) -> None:
        subscribed.update(names)

    monkeypatch.setattr(bus, "subscribe", subscribe)
    monkeypatch.setattr(bus, "unsubscribe", subscribed.remove)
    member, listener = Member("ana"), Member("ben")
    await hall.rooms.ephemeral.listen(listener, [CLUB])
    await hall.enter(member, Wanted(CLUB))
    hall.rooms.leave(listener, CLUB)
    assert subscribed == {CLUB}
    await hall.rooms.ephemeral.listen(listener, [CLUB])
    hall.rooms.leave(member, CLUB)
    assert subscribed == {CLUB}
    hall.rooms.leave_all(listener)
    assert subscribed == set()


async def test_an_ephemeral_event_during_a_read_can_be_sent_again(hall):
    early, late = Member("ben"), Member("cleo")
    await hall.rooms.ephemeral.listen(early, [HALL])
    hall.rooms.ephemeral.publish("/hall", "hall", "before", {})
    say_again = await hall.rooms.ephemeral.listen(late, [HALL])
    for name in ("came", "went", "came"):
        hall.rooms.ephemeral.publish("/hall", "hall", name, {})
    say_again()
    assert late.sent == ["came", "went", "came", "went", "came"], "the last one last"
    assert early.sent == ["before", "came", "went", "came"]
