"""Becoming a consultant, changing, stopping, topics, and who hears of it."""

import asyncio

import pytest

from handlers.consulting.consultants import service
from tests.consulting.availability.practice import TOPIC, caught_up, heard_in, refused
from tests.world import both_databases, one_database

NAMESPACE = "/consultants"
ABOUT = {
    "about_me": "I read contracts.",
    "languages": ["en", "de"],
    "country": "DE",
    "time_zone": "Europe/Berlin",
}


def consultant_of(person, **more):
    """What a new consultant looks like."""
    nothing_said = {"age": None, "gender": None, "profile_picture_url": None}
    return {
        "id": person.id,
        "first_name": person.name.capitalize(),
        "last_name": "Example",
        **ABOUT,
        **nothing_said,
        "status": "active",
        "available_now": False,
        "topics": [],
        **more,
    }


async def test_a_person_becomes_a_consultant_once(world):
    clara = await world.person("clara")
    more = {"age": 41, "gender": "female"}
    assert await clara.call(NAMESPACE, "become", **ABOUT, **more) == consultant_of(clara, **more)
    heard = await clara.event("CONSULTANT_ONBOARDED")
    assert heard.data == {"consultant": consultant_of(clara, **more)}
    assert heard.meta["room"] == f"consultant:{clara.id}"
    await refused(clara.call(NAMESPACE, "become", **ABOUT), "ALREADY_CONSULTANT")
    me = await clara.call("/profile", "me")
    assert "consultant" in me["roles"]


@both_databases
async def test_becoming_twice_at_once_succeeds_once(world):
    clara = await world.person("clara")
    devices = [await clara.device() for _ in range(4)]
    for device in devices:
        await device.enter(NAMESPACE)
    answers = await asyncio.gather(*(d.ask(NAMESPACE, "become", ABOUT) for d in devices))
    codes = sorted(a["error"]["code"] if not a["ok"] else "OK" for a in answers)
    assert codes == ["ALREADY_CONSULTANT"] * 3 + ["OK"]
    assert len(await world.stored("CONSULTANT_ONBOARDED")) == 1


@pytest.mark.settings(PARLEY_CONSULTANTS_START_ACTIVE="false")
@one_database
async def test_a_setting_lets_consultants_begin_as_pending(world):
    clara = await world.person("clara")
    answer = await clara.call(NAMESPACE, "become", **ABOUT)
    assert answer["status"] == "pending"
    assert (await clara.call(NAMESPACE, "list"))["consultants"] == []


async def test_a_profile_changes_field_by_field_and_carries_the_persons_name(world):
    clara = await world.person("clara")
    await clara.call(NAMESPACE, "become", **ABOUT, age=41)
    changes = {"about_me": "I mediate.", "languages": ["fr"], "country": "FR", "age": None}
    changed = consultant_of(clara, **changes)
    assert await clara.call(NAMESPACE, "update", **changes) == changed
    assert (await clara.event("CONSULTANT_PROFILE_UPDATED")).data == {"consultant": changed}
    await clara.call("/profile", "update", first_name="Clarissa")
    renamed = await clara.event(
        "CONSULTANT_PROFILE_UPDATED", lambda data: data["consultant"]["first_name"] == "Clarissa"
    )
    assert renamed.data == {"consultant": {**changed, "first_name": "Clarissa"}}
    assert await clara.call(NAMESPACE, "get", consultant_id=clara.id) == renamed.data["consultant"]


async def test_who_stops_is_found_no_more_and_may_begin_again(world):
    clara = await world.person("clara")
    await clara.call(NAMESPACE, "become", **ABOUT)
    topic = await clara.call(NAMESPACE, "add_topic", **TOPIC)
    stopped = await clara.call(NAMESPACE, "stop")
    assert stopped == consultant_of(clara, status="stopped", topics=[topic])
    assert (await clara.event("CONSULTANT_DEACTIVATED")).data == {"consultant": stopped}
    assert (await clara.call(NAMESPACE, "list"))["consultants"] == []
    for command, payload in (
        ("stop", {}),
        ("update", {"age": 30}),
        ("add_topic", TOPIC),
        ("update_topic", {"topic_id": topic["id"], "name": "Other"}),
        ("remove_topic", {"topic_id": topic["id"]}),
    ):
        await refused(clara.call(NAMESPACE, command, **payload), "NOT_A_CONSULTANT")
    again = await clara.call(NAMESPACE, "become", **ABOUT)
    assert again == consultant_of(clara, topics=[topic])
    assert len(await world.stored("CONSULTANT_ONBOARDED")) == 2


async def test_topics_come_change_and_go(world):
    clara, other = [await world.person(name, consultant=True) for name in ("clara", "otto")]
    topic = await clara.call(NAMESPACE, "add_topic", **TOPIC)
    about = {"consultant_id": clara.id, "icon_url": None, "active": True}
    assert topic == {"id": topic["id"], **TOPIC, **about}
    assert (await clara.event("TOPIC_ADDED")).data == {"topic": topic}
    changes = {
        "name": "Contracts",
        "hourly_rate": {"amount": 0, "currency": "JPY"},
    }
    changed = await clara.call(NAMESPACE, "update_topic", topic_id=topic["id"], **changes)
    assert changed == {**topic, **changes}
    assert (await clara.event("TOPIC_UPDATED")).data == {"topic": changed}
    for command in ("update_topic", "remove_topic"):
        await refused(other.call(NAMESPACE, command, topic_id=topic["id"]), "NOT_FOUND")
        await refused(clara.call(NAMESPACE, command, topic_id=clara.id), "NOT_FOUND")
    assert await clara.call(NAMESPACE, "remove_topic", topic_id=topic["id"]) == {}
    assert (await clara.event("TOPIC_REMOVED")).data == {"topic": {**changed, "active": False}}
    assert (await clara.call(NAMESPACE, "get", consultant_id=clara.id))["topics"] == []
    await refused(clara.call(NAMESPACE, "remove_topic", topic_id=topic["id"]), "NOT_FOUND")
    student = await world.person("sam")
    await refused(student.call(NAMESPACE, "add_topic", **TOPIC), "NOT_A_CONSULTANT")


WRONG = (
    ("languages", ["xx"]),
    ("languages", []),
    ("languages", ["EN"]),
    ("country", "XX"),
    ("country", "de"),
    ("time_zone", "Europe/Atlantis"),
    ("age", 15),
    ("gender", "other"),
    ("profile_picture_url", "https://example.org/c.png"),
    ("picture_id", "https://example.org/c.png"),
    ("picture_id", "javascript:alert(1)"),
    ("status", "active"),
    ("first_name", "Other"),
)


@one_database
async def test_what_is_no_public_code_or_not_ones_own_to_say_is_invalid(world):
    clara = await world.person("clara")
    for field, value in WRONG:
        become = clara.call(NAMESPACE, "become", **{**ABOUT, field: value})
        refusal = await refused(become, "INVALID")
        assert field in str(refusal.details)
    await clara.call(NAMESPACE, "become", **ABOUT)
    for field, value in WRONG:
        await refused(clara.call(NAMESPACE, "update", **{field: value}), "INVALID")


@one_database
async def test_a_topics_money_length_and_icon_are_checked(world):
    clara = await world.person("clara", consultant=True)
    for field, value in (
        ("hourly_rate", {"amount": -1, "currency": "EUR"}),
        ("hourly_rate", {"amount": 1.5, "currency": "EUR"}),
        ("hourly_rate", {"amount": 1, "currency": "EUX"}),
        ("minimal_duration_minutes", 0),
        ("minimal_duration_minutes", 61),
        ("name", "  "),
        ("icon_url", "https://example.org/i.svg"),
        ("icon_id", "https://example.org/i.svg"),
        ("active", False),
    ):
        wrong = clara.call(NAMESPACE, "add_topic", **{**TOPIC, field: value})
        await refused(wrong, "INVALID")


async def test_visitors_read_and_may_do_no_more(world):
    clara = await world.person("clara", consultant=True)
    topic = await clara.call(NAMESPACE, "add_topic", **TOPIC)
    visitor = await world.visitor(NAMESPACE)
    seen = await visitor.call(NAMESPACE, "get", consultant_id=clara.id)
    assert seen["topics"] == [topic]
    assert (await visitor.call(NAMESPACE, "list"))["consultants"] == [seen]
    await refused(visitor.call(NAMESPACE, "get", consultant_id=topic["id"]), "NOT_FOUND")
    await refused(visitor.call(NAMESPACE, "watch", consultant_id=topic["id"]), "NOT_FOUND")
    for command, payload in (
        ("become", ABOUT),
        ("update", {}),
        ("stop", {}),
        ("add_topic", TOPIC),
        ("update_topic", {"topic_id": topic["id"]}),
        ("remove_topic", {"topic_id": topic["id"]}),
    ):
        await refused(visitor.call(NAMESPACE, command, **payload), "FORBIDDEN")


async def test_a_list_pages_from_the_newest_to_the_first(world):
    names = [f"person{number}" for number in range(5)]
    people = [await world.person(name, consultant=True) for name in names]
    visitor = await world.visitor(NAMESPACE)
    whole = (await visitor.call(NAMESPACE, "list"))["consultants"]
    assert [c["id"] for c in whole] == [person.id for person in reversed(people)]
    paged = []
    before: dict[str, str] = {}
    for size in (2, 2, 1):
        page = await visitor.call(NAMESPACE, "list", limit=2, **before)
        assert len(page["consultants"]) == size
        paged += page["consultants"]
        before = {"before": page["next"]}
    assert page["next"] is None
    assert paged == whole
    for limit in (0, 101):
        await refused(visitor.call(NAMESPACE, "list", limit=limit), "INVALID")


async def test_who_watches_hears_all_that_changes_until_they_unwatch(world):
    clara = await world.person("clara", consultant=True)
    watcher, passer_by = [await world.visitor(NAMESPACE) for _ in range(2)]
    student = await world.person("sam")
    await student.enter(NAMESPACE)
    snapshot = await watcher.call(NAMESPACE, "watch", consultant_id=clara.id)
    room = f"consultant:{clara.id}"

    async def agrees():
        fresh = await passer_by.call(NAMESPACE, "watch", consultant_id=clara.id)
        await passer_by.call(NAMESPACE, "unwatch", consultant_id=clara.id)
        await caught_up(watcher, NAMESPACE, room, fresh["seq"])
        assert replayed(snapshot, heard_in(watcher, NAMESPACE, room)) == fresh

    await clara.call(NAMESPACE, "update", about_me="I listen well.")
    await agrees()
    topics = [await clara.call(NAMESPACE, "add_topic", **TOPIC) for _ in range(3)]
    await agrees()
    await clara.call(NAMESPACE, "update_topic", topic_id=topics[1]["id"], name="Wills")
    await clara.call(NAMESPACE, "remove_topic", topic_id=topics[0]["id"])
    await agrees()
    await clara.call("/availability", "set_available_now", available=True)
    await agrees()
    await clara.call(NAMESPACE, "stop")
    await world.settle()
    await agrees()
    await clara.call(NAMESPACE, "become", **ABOUT)
    await world.settle()
    await agrees()
    assert {event.name for event in watcher.heard} == {
        "CONSULTANT_ONBOARDED",
        "CONSULTANT_PROFILE_UPDATED",
        "CONSULTANT_DEACTIVATED",
        "TOPIC_ADDED",
        "TOPIC_UPDATED",
        "TOPIC_REMOVED",
    }
    assert await watcher.call(NAMESPACE, "unwatch", consultant_id=clara.id) == {}
    heard = len(watcher.heard)
    await clara.call(NAMESPACE, "update", about_me="Nobody hears this.")
    await watcher.call(NAMESPACE, "list")
    assert len(watcher.heard) == heard
    assert passer_by.heard == []
    assert student.client.heard == []


async def test_what_was_taken_out_is_told_to_no_stranger_again(world):
    clara, sam = await world.person("clara", consultant=True), await world.person("sam")
    visitor = await world.visitor(NAMESPACE)
    seen = (await visitor.call(NAMESPACE, "watch", consultant_id=clara.id))["seq"]
    await clara.call(NAMESPACE, "update", about_me="my old address")
    topic = await clara.call(NAMESPACE, "add_topic", **{**TOPIC, "name": "my old trade"})
    await clara.call(NAMESPACE, "update_topic", topic_id=topic["id"], name="my old craft")
    await clara.call(NAMESPACE, "remove_topic", topic_id=topic["id"])
    await clara.call(NAMESPACE, "update", about_me="I listen.")
    await clara.call(NAMESPACE, "stop")
    await world.settle()
    room = f"consultant:{clara.id}"
    fresh = await visitor.call(NAMESPACE, "get", consultant_id=clara.id)
    assert "old" not in str(fresh)
    head = (await visitor.call(NAMESPACE, "watch", consultant_id=clara.id))["seq"]
    for since in (0, seen, head - 1):
        for token in ({}, {"token": sam.token}):
            back = await world.connect()
            await back.enter(NAMESPACE, since={room: since}, **token)
            assert back.synced[NAMESPACE]["rooms"][room] == {"seq": head, "recovered": False}
            assert back.heard == []
    current = await world.connect()
    await current.enter(NAMESPACE, since={room: head})
    assert current.synced[NAMESPACE]["rooms"][room]["recovered"]
    await clara.call(NAMESPACE, "become", **{**ABOUT, "about_me": "I am back."})
    heard = await current.event("CONSULTANT_ONBOARDED")
    assert heard.data["consultant"]["about_me"] == "I am back."
    phone = await clara.device()
    await phone.enter(NAMESPACE, since={room: seen})
    assert phone.synced[NAMESPACE]["rooms"][room]["recovered"], "one's own devices miss nothing"


async def test_who_missed_what_still_holds_is_told_it(world):
    clara = await world.person("clara", consultant=True)
    visitor = await world.visitor(NAMESPACE)
    room = f"consultant:{clara.id}"
    seen = (await visitor.call(NAMESPACE, "watch", consultant_id=clara.id))["seq"]
    await clara.call(NAMESPACE, "update", about_me="I listen well.")
    await clara.call(NAMESPACE, "add_topic", **TOPIC)
    back = await world.connect()
    await back.enter(NAMESPACE, since={room: seen})
    assert back.synced[NAMESPACE]["rooms"][room]["recovered"]
    assert [one.name for one in back.heard] == ["CONSULTANT_PROFILE_UPDATED", "TOPIC_ADDED"]


def replayed(snapshot, events):
    """The watched consultant, kept current by events."""
    state, topics = dict(snapshot), {topic["id"]: topic for topic in snapshot["topics"]}
    for event in events:
        if event.meta["seq"] <= snapshot["seq"]:
            continue
        if "consultant" in event.data:
            state.update(event.data["consultant"])
            topics = {topic["id"]: topic for topic in state["topics"]}
        elif event.name == "TOPIC_REMOVED":
            del topics[event.data["topic"]["id"]]
        else:
            topics[event.data["topic"]["id"]] = event.data["topic"]
        state["seq"] = event.meta["seq"]
    return {**state, "topics": list(topics.values())}


@both_databases
async def test_the_same_request_id_adds_one_topic(world):
    clara = await world.person("clara", consultant=True)
    asked = {**TOPIC, "request_id": "one"}
    answers = await asyncio.gather(*(clara.call(NAMESPACE, "add_topic", **asked) for _ in range(4)))
    assert len({topic["id"] for topic in answers}) == 1
    assert len(await world.stored("TOPIC_ADDED")) == 1
    await refused(clara.call(NAMESPACE, "add_topic", **{**asked, "name": "Other"}), "CONFLICT")


async def test_a_consultant_offers_only_so_many_topics(world, monkeypatch):
    monkeypatch.setattr(service, "TOPICS_MAX", 2)
    clara = await world.person("clara", consultant=True)
    first, _ = [await clara.call(NAMESPACE, "add_topic", **TOPIC) for _ in range(2)]
    refusal = await refused(clara.call(NAMESPACE, "add_topic", **TOPIC), "CONFLICT")
    assert refusal.details == {"most": 2}
    await clara.call(NAMESPACE, "remove_topic", topic_id=first["id"])
    assert (await clara.call(NAMESPACE, "add_topic", **TOPIC))["active"]
