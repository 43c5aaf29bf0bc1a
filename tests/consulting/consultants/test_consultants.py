"""Becoming a consultant, changing the profile, stopping, topics, and watching all of it."""

import asyncio

import pytest

from handlers.consulting.consultants import service
from tests.consulting.availability.practice import TOPIC, assert_refused, events_in, events_up_to
from tests.world import both_databases, one_database

NAMESPACE = "/consultants"
ABOUT = {
    "about_me": "I read contracts.",
    "languages": ["en", "de"],
    "country": "DE",
    "time_zone": "Europe/Berlin",
}


def consultant_of(person, **more):
    """The expected view of a new consultant."""
    unset = {"age": None, "gender": None, "profile_picture_url": None}
    return {
        "id": person.id,
        "first_name": person.name.capitalize(),
        "last_name": "Example",
        **ABOUT,
        **unset,
        "status": "active",
        "available_now": False,
        "topics": [],
        **more,
    }


async def test_a_user_can_become_a_consultant_only_once(world):
    clara = await world.person("clara")
    more = {"age": 41, "gender": "female"}
    assert await clara.call(NAMESPACE, "become", **ABOUT, **more) == consultant_of(clara, **more)
    event = await clara.event("CONSULTANT_ONBOARDED")
    assert event.data == {"consultant": consultant_of(clara, **more)}
    assert event.meta["room"] == f"consultant:{clara.id}"
    await assert_refused(clara.call(NAMESPACE, "become", **ABOUT), "ALREADY_CONSULTANT")
    me = await clara.call("/profile", "me")
    assert "consultant" in me["roles"]


@both_databases
async def test_concurrent_attempts_to_become_a_consultant_succeed_once(world):
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
async def test_a_setting_makes_new_consultants_pending(world):
    clara = await world.person("clara")
    answer = await clara.call(NAMESPACE, "become", **ABOUT)
    assert answer["status"] == "pending"
    assert (await clara.call(NAMESPACE, "list"))["consultants"] == []


async def test_profile_fields_change_separately_and_the_name_follows_the_user(world):
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


async def test_a_stopped_consultant_is_not_listed_and_can_return(world):
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
        await assert_refused(clara.call(NAMESPACE, command, **payload), "NOT_A_CONSULTANT")
    returned = await clara.call(NAMESPACE, "become", **ABOUT)
    assert returned == consultant_of(clara, topics=[topic])
    assert len(await world.stored("CONSULTANT_ONBOARDED")) == 2


async def test_topics_are_added_updated_and_removed(world):
    clara, other = [await world.person(name, consultant=True) for name in ("clara", "otto")]
    topic = await clara.call(NAMESPACE, "add_topic", **TOPIC)
    defaults = {"consultant_id": clara.id, "icon_url": None, "active": True}
    assert topic == {"id": topic["id"], **TOPIC, **defaults}
    assert (await clara.event("TOPIC_ADDED")).data == {"topic": topic}
    changes = {
        "name": "Contracts",
        "hourly_rate": {"amount": 0, "currency": "JPY"},
    }
    changed = await clara.call(NAMESPACE, "update_topic", topic_id=topic["id"], **changes)
    assert changed == {**topic, **changes}
    assert (await clara.event("TOPIC_UPDATED")).data == {"topic": changed}
    for command in ("update_topic", "remove_topic"):
        await assert_refused(other.call(NAMESPACE, command, topic_id=topic["id"]), "NOT_FOUND")
        await assert_refused(clara.call(NAMESPACE, command, topic_id=clara.id), "NOT_FOUND")
    assert await clara.call(NAMESPACE, "remove_topic", topic_id=topic["id"]) == {}
    assert (await clara.event("TOPIC_REMOVED")).data == {"topic": {**changed, "active": False}}
    assert (await clara.call(NAMESPACE, "get", consultant_id=clara.id))["topics"] == []
    await assert_refused(clara.call(NAMESPACE, "remove_topic", topic_id=topic["id"]), "NOT_FOUND")
    student = await world.person("sam")
    await assert_refused(student.call(NAMESPACE, "add_topic", **TOPIC), "NOT_A_CONSULTANT")


INVALID_FIELDS = (
    ("languages", ["xx"]),
    ("languages", []),
    ("languages", ["EN"]),
    ("country", "XX"),
    ("country", "de"),
    ("time_zone", "Europe/Atlantis"),
    ("time_zone", "localtime"),
    ("age", 15),
    ("gender", "other"),
    ("profile_picture_url", "https://example.org/c.png"),
    ("picture_id", "https://example.org/c.png"),
    ("picture_id", "javascript:alert(1)"),
    ("status", "active"),
    ("first_name", "Other"),
)


@one_database
async def test_unknown_codes_and_read_only_fields_are_invalid(world):
    clara = await world.person("clara")
    for field, value in INVALID_FIELDS:
        become = clara.call(NAMESPACE, "become", **{**ABOUT, field: value})
        refusal = await assert_refused(become, "INVALID")
        assert field in str(refusal.details)
    await clara.call(NAMESPACE, "become", **ABOUT)
    for field, value in INVALID_FIELDS:
        await assert_refused(clara.call(NAMESPACE, "update", **{field: value}), "INVALID")


@one_database
async def test_the_fields_of_a_topic_are_validated(world):
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
        await assert_refused(wrong, "INVALID")


async def test_visitors_can_only_read(world):
    clara = await world.person("clara", consultant=True)
    topic = await clara.call(NAMESPACE, "add_topic", **TOPIC)
    visitor = await world.visitor(NAMESPACE)
    seen = await visitor.call(NAMESPACE, "get", consultant_id=clara.id)
    assert seen["topics"] == [topic]
    assert (await visitor.call(NAMESPACE, "list"))["consultants"] == [seen]
    await assert_refused(visitor.call(NAMESPACE, "get", consultant_id=topic["id"]), "NOT_FOUND")
    await assert_refused(visitor.call(NAMESPACE, "watch", consultant_id=topic["id"]), "NOT_FOUND")
    for command, payload in (
        ("become", ABOUT),
        ("update", {}),
        ("stop", {}),
        ("add_topic", TOPIC),
        ("update_topic", {"topic_id": topic["id"]}),
        ("remove_topic", {"topic_id": topic["id"]}),
    ):
        await assert_refused(visitor.call(NAMESPACE, command, **payload), "FORBIDDEN")


async def test_list_pages_from_the_newest_to_the_oldest_consultant(world):
    names = [f"person{number}" for number in range(5)]
    people = [await world.person(name, consultant=True) for name in names]
    visitor = await world.visitor(NAMESPACE)
    complete = (await visitor.call(NAMESPACE, "list"))["consultants"]
    assert [c["id"] for c in complete] == [person.id for person in reversed(people)]
    paged = []
    before: dict[str, str] = {}
    for size in (2, 2, 1):
        page = await visitor.call(NAMESPACE, "list", limit=2, **before)
        assert len(page["consultants"]) == size
        paged += page["consultants"]
        before = {"before": page["next"]}
    assert page["next"] is None
    assert paged == complete
    for limit in (0, 101):
        await assert_refused(visitor.call(NAMESPACE, "list", limit=limit), "INVALID")


async def test_a_watcher_gets_all_changes_until_it_unwatches(world):
    clara = await world.person("clara", consultant=True)
    watcher, other = [await world.visitor(NAMESPACE) for _ in range(2)]
    student = await world.person("sam")
    await student.enter(NAMESPACE)
    snapshot = await watcher.call(NAMESPACE, "watch", consultant_id=clara.id)
    room = f"consultant:{clara.id}"

    async def assert_in_sync():
        fresh = await other.call(NAMESPACE, "watch", consultant_id=clara.id)
        await other.call(NAMESPACE, "unwatch", consultant_id=clara.id)
        await events_up_to(watcher, NAMESPACE, room, fresh["seq"])
        assert apply_events(snapshot, events_in(watcher, NAMESPACE, room)) == fresh

    await clara.call(NAMESPACE, "update", about_me="I listen well.")
    await assert_in_sync()
    topics = [await clara.call(NAMESPACE, "add_topic", **TOPIC) for _ in range(3)]
    await assert_in_sync()
    await clara.call(NAMESPACE, "update_topic", topic_id=topics[1]["id"], name="Wills")
    await clara.call(NAMESPACE, "remove_topic", topic_id=topics[0]["id"])
    await assert_in_sync()
    await clara.call("/availability", "set_available_now", available=True)
    await assert_in_sync()
    await clara.call(NAMESPACE, "stop")
    await world.settle()
    await assert_in_sync()
    await clara.call(NAMESPACE, "become", **ABOUT)
    await world.settle()
    await assert_in_sync()
    assert {event.name for event in watcher.heard} == {
        "CONSULTANT_ONBOARDED",
        "CONSULTANT_PROFILE_UPDATED",
        "CONSULTANT_DEACTIVATED",
        "TOPIC_ADDED",
        "TOPIC_UPDATED",
        "TOPIC_REMOVED",
    }
    assert await watcher.call(NAMESPACE, "unwatch", consultant_id=clara.id) == {}
    received = len(watcher.heard)
    await clara.call(NAMESPACE, "update", about_me="Nobody hears this.")
    await watcher.call(NAMESPACE, "list")
    assert len(watcher.heard) == received
    assert other.heard == []
    assert student.client.heard == []


async def test_removed_texts_are_replayed_only_to_the_consultant(world):
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
            reconnected = await world.connect()
            await reconnected.enter(NAMESPACE, since={room: since}, **token)
            assert reconnected.synced[NAMESPACE]["rooms"][room] == {"seq": head, "recovered": False}
            assert reconnected.heard == []
    current = await world.connect()
    await current.enter(NAMESPACE, since={room: head})
    assert current.synced[NAMESPACE]["rooms"][room]["recovered"]
    await clara.call(NAMESPACE, "become", **{**ABOUT, "about_me": "I am back."})
    event = await current.event("CONSULTANT_ONBOARDED")
    assert event.data["consultant"]["about_me"] == "I am back."
    phone = await clara.device()
    await phone.enter(NAMESPACE, since={room: seen})
    assert phone.synced[NAMESPACE]["rooms"][room]["recovered"], "one's own devices miss nothing"


async def test_missed_events_with_current_contents_are_replayed(world):
    clara = await world.person("clara", consultant=True)
    visitor = await world.visitor(NAMESPACE)
    room = f"consultant:{clara.id}"
    seen = (await visitor.call(NAMESPACE, "watch", consultant_id=clara.id))["seq"]
    await clara.call(NAMESPACE, "update", about_me="I listen well.")
    await clara.call(NAMESPACE, "add_topic", **TOPIC)
    reconnected = await world.connect()
    await reconnected.enter(NAMESPACE, since={room: seen})
    assert reconnected.synced[NAMESPACE]["rooms"][room]["recovered"]
    assert [event.name for event in reconnected.heard] == [
        "CONSULTANT_PROFILE_UPDATED",
        "TOPIC_ADDED",
    ]


def apply_events(snapshot, events):
    """The snapshot of a consultant after applying the events."""
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
async def test_repeating_a_request_id_adds_one_topic(world):
    clara = await world.person("clara", consultant=True)
    payload = {**TOPIC, "request_id": "one"}
    answers = await asyncio.gather(
        *(clara.call(NAMESPACE, "add_topic", **payload) for _ in range(4))
    )
    assert len({topic["id"] for topic in answers}) == 1
    assert len(await world.stored("TOPIC_ADDED")) == 1
    await assert_refused(
        clara.call(NAMESPACE, "add_topic", **{**payload, "name": "Other"}), "CONFLICT"
    )


async def test_the_number_of_topics_is_limited(world, monkeypatch):
    monkeypatch.setattr(service, "TOPICS_MAX", 2)
    clara = await world.person("clara", consultant=True)
    first, _ = [await clara.call(NAMESPACE, "add_topic", **TOPIC) for _ in range(2)]
    refusal = await assert_refused(clara.call(NAMESPACE, "add_topic", **TOPIC), "CONFLICT")
    assert refusal.details == {"most": 2}
    await clara.call(NAMESPACE, "remove_topic", topic_id=first["id"])
    assert (await clara.call(NAMESPACE, "add_topic", **TOPIC))["active"]
