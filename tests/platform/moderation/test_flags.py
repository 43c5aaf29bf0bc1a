"""Flags: one per user, for readable messages of others; enough flags hide a message."""

import asyncio
import json

import pytest

from tests.platform.chat.scenes import offer, say, talk
from tests.platform.moderation.scenes import (
    code_of,
    flag,
    flagged,
    get_message,
    group_of,
    moderator,
)
from tests.wire_client import Refused
from tests.world import both_databases


async def test_the_first_flag_opens_a_case_and_later_flags_are_counted_in_it(world):
    case, message, (ana, _, cleo, *_) = await flagged(world, reason="hate", note="look")
    assert case == {
        "id": case["id"],
        "message_id": message["id"],
        "conversation_id": message["conversation_id"],
        "sender_id": ana.id,
        "status": "open",
        "flags": 1,
        "reasons": {"hate": 1},
        "hit": None,
        "hidden": False,
        "opened_at": case["opened_at"],
        "closed_at": None,
        "decided_by": None,
        "version": 1,
    }
    await flag(cleo, message["id"], "spam")
    (changed,) = [data["case"] for data in await world.stored("CASE_CHANGED")]
    assert changed == case | {"flags": 2, "reasons": {"hate": 1, "spam": 1}}


async def test_a_second_flag_by_the_same_person_changes_nothing(world):
    _, message, (_, ben, *_) = await flagged(world)
    assert await flag(ben, message["id"], "hate", "again") == {}
    assert await world.stored("CASE_CHANGED") == []
    assert len(await world.stored("CASE_OPENED")) == 1


async def test_users_can_flag_only_readable_messages_of_others(world):
    group, (ana, ben, _) = await group_of(world, "ana", "ben", "cleo")
    stranger = await world.person("eve")
    before = await say(ana, group, "before")
    gone = await say(ana, group, "gone")
    await ana.call("/chat", "delete", message_id=gone["id"])
    ask = {"reason": "spam"}
    await ana.call("/chat", "rename", conversation_id=group, name="Ours")
    note = (await ben.call("/chat", "history", conversation_id=group))["messages"][-1]
    assert note["kind"] == "system"
    assert await code_of(ana, "/moderation", "flag", message_id=before["id"], **ask) == (
        "OWN_MESSAGE"
    )
    for person, message in ((stranger, before), (ben, gone), (ben, note)):
        assert await code_of(person, "/moderation", "flag", message_id=message["id"], **ask) == (
            "NOT_FOUND"
        )
    assert await world.stored("CASE_OPENED") == []


async def test_a_former_member_can_flag_only_messages_from_before_leaving(world):
    group, (ana, ben, _) = await group_of(world, "ana", "ben", "cleo")
    earlier = await say(ana, group, "heard")
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    later = await say(ana, group, "later")
    assert await flag(ben, earlier["id"]) == {}
    assert await code_of(ben, "/moderation", "flag", message_id=later["id"], reason="spam") == (
        "NOT_FOUND"
    )


@pytest.mark.settings(PARLEY_FLAGS_TO_HIDE="2")
async def test_enough_flags_hide_a_message_from_everyone(world):
    _, message, (ana, ben, cleo, dan, _) = await flagged(world)
    await ana.call("/chat", "react", message_id=message["id"], emoji="\U0001f44d")
    await flag(cleo, message["id"])
    for one in (ana, ben, dan):
        hidden = (await one.event("MESSAGE_HIDDEN")).data["message"]
        assert (hidden["text"], hidden["reactions"], hidden["hidden"]) == ("", [], True)
        assert await get_message(one, message["id"]) == hidden
    (act,) = (await (await moderator(world, "mo")).call("/moderation", "audit"))["entries"]
    assert (act["act"], act["actor_id"], act["user_id"]) == ("hide_by_flags", None, ana.id)
    await flag(dan, message["id"])
    assert len(await world.stored("MESSAGE_HIDDEN")) == 1
    assert (await world.stored("CASE_CHANGED"))[-1]["case"]["flags"] == 3


@both_databases
@pytest.mark.settings(PARLEY_FLAGS_TO_HIDE="3")
async def test_concurrent_flags_open_one_case_and_hide_the_message_once(world):
    group, (ana, *others) = await group_of(world, *(f"p{number}" for number in range(7)))
    ids = [(await say(ana, group, f"number {number}"))["id"] for number in range(5)]
    twice = [*others, *others]
    await asyncio.gather(*(flag(one, message_id) for message_id in ids for one in twice))
    opened = {
        data["case"]["message_id"]: data["case"] for data in await world.stored("CASE_OPENED")
    }
    assert opened.keys() == set(ids)
    for message_id, case in opened.items():
        changed = [data["case"] for data in await world.stored("CASE_CHANGED")]
        mine = [one for one in changed if one["message_id"] == message_id]
        assert [one["flags"] for one in mine] == [2, 3, 4, 5, 6]
        assert {one["id"] for one in mine} == {case["id"]}
    assert len(await world.stored("MESSAGE_HIDDEN")) == len(ids)


@pytest.mark.settings(PARLEY_FLAGS_PER_HOUR="2")
async def test_flags_per_person_are_rate_limited(world, clock):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    ids = [(await say(ana, group, f"number {number}"))["id"] for number in range(4)]
    for message_id in ids[:2]:
        await flag(ben, message_id)
    with pytest.raises(Refused) as refused:
        await flag(ben, ids[2])
    assert refused.value.code == "RATE_LIMITED"
    assert 3500 < refused.value.error["retry_after_s"] <= 3600
    assert await flag(ben, ids[0]) == {}, "a repeat is no flag"
    clock.advance(3601)
    await flag(ben, ids[2])


@both_databases
@pytest.mark.settings(PARLEY_FLAGS_PER_HOUR="2")
async def test_concurrent_flags_per_person_are_rate_limited(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    devices = [ben] + [await (await ben.device()).enter("/moderation") for _ in range(4)]
    ids = [(await say(ana, group, f"number {number}"))["id"] for number in range(5)]
    codes = await asyncio.gather(
        *(
            code_of(one, "/moderation", "flag", message_id=message_id, reason="spam")
            for one, message_id in zip(devices, ids, strict=True)
        )
    )
    assert sorted(str(code) for code in codes) == ["None"] * 2 + ["RATE_LIMITED"] * 3


async def test_moderators_do_not_see_who_flagged(world):
    case, _, (ana, ben, *_) = await flagged(world, note="this is mean")
    mo = await moderator(world, "mo")
    opened = await mo.call("/moderation", "case", case_id=case["id"])
    queue = await mo.call("/moderation", "queue")
    assert opened["notes"] == [
        {"reason": "spam", "note": "this is mean", "at": opened["notes"][0]["at"]}
    ]
    visible = json.dumps([opened, queue, await world.stored("CASE_OPENED")])
    assert ben.id not in visible
    assert ana.client.events("CASE_OPENED") == []


async def test_a_hidden_card_stays_hidden_when_it_changes(world):
    ana, cleo = await world.person("ana"), await world.person("cleo")
    ben = await world.person("ben", consultant=True)
    shop = await offer(world, ben)
    chat = await talk(ben, ana)
    booking = await ana.call(
        "/chat", "request_booking", conversation_id=chat, **shop.ask(), note="rotten"
    )
    card = (await ben.event("MESSAGE_SENT")).data["message"]
    await flag(ben, card["id"])
    (data,) = await world.stored("CASE_OPENED")
    mo = await moderator(world, "mo")
    case = data["case"]
    payload = {"case_id": case["id"], "version": 1, "decision": "hide"}
    await mo.call("/moderation", "decide", **payload)
    await ben.call("/booking", "approve", booking_id=booking["id"])
    await world.settle()
    assert (await get_message(ben, card["id"]))["card"] is None
    for name in ("MESSAGE_SENT", "MESSAGE_EDITED", "MESSAGE_HIDDEN"):
        assert "rotten" not in json.dumps(await world.stored(name))
    assert cleo.client.heard == []
