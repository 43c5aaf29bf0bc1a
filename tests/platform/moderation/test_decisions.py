"""Moderation cases: the queue, decisions and their reversal, and the audit log."""

import asyncio
import json

from tests.platform.chat.scenes import say, talk
from tests.platform.chat.test_messages import rows_with
from tests.platform.moderation.scenes import (
    code_of,
    decide,
    flag,
    flagged,
    get_message,
    group_of,
    moderator,
    undo,
)
from tests.world import both_databases


async def test_the_queue_lists_open_cases_in_pages_oldest_first(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    mo = await moderator(world, "mo")
    ids = [(await say(ana, group, f"number {number}"))["id"] for number in range(5)]
    for message_id in ids:
        await flag(ben, message_id)
    first = await mo.call("/moderation", "queue", limit=3)
    await decide(mo, first["cases"][0], "dismiss")
    rest = await mo.call("/moderation", "queue", limit=3, after=first["next"])
    assert [case["message_id"] for case in first["cases"] + rest["cases"]] == ids
    assert rest["next"] is None
    left = await mo.call("/moderation", "queue")
    assert [case["message_id"] for case in left["cases"]] == ids[1:]


async def test_a_case_shows_its_message_and_nothing_else_of_the_conversation(world):
    case, message, (_, ben, *_) = await flagged(world, note="look at this")
    await say(ben, message["conversation_id"], "something private")
    mo = await moderator(world, "mo")
    opened = await mo.call("/moderation", "case", case_id=case["id"])
    assert (opened["case"], opened["message"]) == (case, message)
    assert [(one["reason"], one["note"]) for one in opened["notes"]] == [("spam", "look at this")]
    assert "private" not in "".join(mo.client.frames)
    assert await code_of(mo, "/chat", "get", message_id=message["id"]) == "NOT_FOUND"
    here = {"conversation_id": message["conversation_id"]}
    assert await code_of(mo, "/chat", "history", **here) == "NOT_FOUND"


async def test_a_hide_decision_hides_the_message_and_undo_restores_it(world):
    case, message, (ana, ben, *_) = await flagged(world)
    mo = await moderator(world, "mo")
    decided = await decide(mo, case, "hide", note="too rude")
    assert decided == case | {
        "status": "hidden",
        "hidden": True,
        "closed_at": decided["closed_at"],
        "decided_by": mo.id,
        "version": 2,
    }
    for one in (ana, ben):
        assert (await get_message(one, message["id"]))["hidden"]
    opened = await mo.call("/moderation", "case", case_id=case["id"])
    assert opened["message"] == message | {"hidden": True}
    assert await undo(mo, decided, note="it was not") == case | {"version": 3}
    for one in (ana, ben):
        assert await get_message(one, message["id"]) == message
    audit = await mo.call("/moderation", "audit")
    about = {"user_id": ana.id, "role": None, "case_id": case["id"], "message_id": message["id"]}
    assert [one | {"id": "", "at": ""} for one in audit["entries"]] == [
        {"id": "", "at": "", "act": act, "actor_id": mo.id, **about, "note": note}
        for act, note in (("undo", "it was not"), ("hide", "too rude"))
    ]


async def test_dismissing_restores_a_message_hidden_by_flags_and_undo_hides_it(world):
    case, message, (_, *others) = await flagged(world)
    for one in others:
        await flag(one, message["id"])
    mo = await moderator(world, "mo")
    assert (await get_message(others[0], message["id"]))["hidden"]
    dismissed = await decide(mo, case, "dismiss")
    assert (dismissed["status"], dismissed["hidden"]) == ("dismissed", False)
    assert await get_message(others[0], message["id"]) == message
    opened = await undo(mo, dismissed)
    assert (opened["status"], opened["hidden"]) == ("open", True)
    assert (await get_message(others[0], message["id"]))["hidden"]
    audit = (await mo.call("/moderation", "audit", limit=2))["entries"]
    assert [one["act"] for one in audit] == ["undo", "dismiss"]


async def test_a_flag_after_a_decision_opens_a_new_case(world):
    case, message, (_, _, cleo, *_) = await flagged(world)
    mo = await moderator(world, "mo")
    dismissed = await decide(mo, case, "dismiss")
    await flag(cleo, message["id"])
    (fresh,) = (await mo.call("/moderation", "queue"))["cases"]
    assert (fresh["id"] != case["id"], fresh["flags"]) == (True, 1)
    payload = {"case_id": case["id"], "version": dismissed["version"]}
    assert await code_of(mo, "/moderation", "undo", **payload) == "CONFLICT"
    hidden = await decide(mo, fresh, "hide")
    payload = {"message_id": message["id"], "reason": "spam"}
    dan = await world.person("frank")
    assert await code_of(dan, "/moderation", "flag", **payload) == "NOT_FOUND"
    await undo(mo, hidden)


@both_databases
async def test_concurrent_and_outdated_decisions_are_refused(world):
    case, message, _ = await flagged(world)
    mo, al = await moderator(world, "mo"), await moderator(world, "al")
    ask = {"case_id": case["id"], "version": 1}
    codes = await asyncio.gather(
        *(
            code_of(one, "/moderation", "decide", **ask, decision=decision)
            for one, decision in ((mo, "hide"), (al, "dismiss"), (mo, "dismiss"), (al, "hide"))
        )
    )
    assert sorted(str(code) for code in codes) == ["CONFLICT", "CONFLICT", "CONFLICT", "None"]
    audit = (await mo.call("/moderation", "audit"))["entries"]
    assert len(audit) == 1
    again = {"case_id": case["id"], "version": 2}
    assert await code_of(mo, "/moderation", "decide", **again, decision="hide") == "CONFLICT"
    assert await code_of(mo, "/moderation", "undo", **ask) == "CONFLICT"
    codes = await asyncio.gather(
        *(code_of(one, "/moderation", "undo", **again) for one in (mo, al))
    )
    assert sorted(str(code) for code in codes) == ["CONFLICT", "None"]
    still_open = {"case_id": case["id"], "version": 3}
    assert await code_of(mo, "/moderation", "undo", **still_open) == "CONFLICT"
    missing = {"case_id": message["id"], "version": 3}
    assert await code_of(mo, "/moderation", "undo", **missing) == "NOT_FOUND"


async def test_only_the_latest_decision_about_a_message_can_be_undone(world):
    case, message, (_, _, cleo, *_) = await flagged(world)
    mo = await moderator(world, "mo")
    first = await decide(mo, case, "dismiss")
    await flag(cleo, message["id"])
    opened = [data["case"] for data in await world.stored("CASE_OPENED")]
    second = await decide(mo, opened[-1], "hide")
    ask = {"case_id": first["id"], "version": first["version"]}
    assert await code_of(mo, "/moderation", "undo", **ask) == "CONFLICT"
    assert (await get_message(cleo, message["id"]))["hidden"]
    await undo(mo, second)
    assert not (await get_message(cleo, message["id"]))["hidden"]


async def test_a_decision_made_before_an_edit_of_the_message_is_refused(world):
    case, message, (ana, *_) = await flagged(world)
    mo = await moderator(world, "mo")
    looked_at = await mo.call("/moderation", "case", case_id=case["id"])
    await ana.call("/chat", "edit", message_id=message["id"], text="fresh")
    changed = (await mo.event("CASE_CHANGED")).data["case"]
    assert changed == looked_at["case"] | {"version": case["version"] + 1}
    for decision in ("dismiss", "hide"):
        ask = {"case_id": case["id"], "version": case["version"], "decision": decision}
        assert await code_of(mo, "/moderation", "decide", **ask) == "CONFLICT"
    assert (await decide(mo, changed, "dismiss"))["status"] == "dismissed"
    await ana.call("/chat", "edit", message_id=message["id"], text="again")
    await world.settle()
    assert len(await world.stored("CASE_CHANGED")) == 2, "nobody looks at a closed case"


async def test_a_moderator_cannot_decide_about_their_own_message(world):
    mo, al = await moderator(world, "mo"), await moderator(world, "al")
    ben = await world.person("ben")
    said = await say(mo, await talk(mo, ben), "rotten")
    await flag(ben, said["id"], note="he did it")
    (case,) = (await mo.call("/moderation", "queue"))["cases"]
    this = {"case_id": case["id"]}
    for command, more in (
        ("case", {}),
        ("media", {}),
        ("decide", {"version": 1, "decision": "dismiss"}),
        ("undo", {"version": 1}),
    ):
        assert await code_of(mo, "/moderation", command, **this, **more) == "OWN_MESSAGE"
    assert "he did it" not in "".join(mo.client.frames)
    decided = await decide(al, case, "hide")
    undoing = {**this, "version": decided["version"]}
    assert await code_of(mo, "/moderation", "undo", **undoing) == "OWN_MESSAGE"


async def test_deleting_a_message_closes_its_case_and_erases_its_text(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    mo = await moderator(world, "mo")
    said = await say(ana, group, "something rotten", "c1")
    await flag(ben, said["id"], note="he said rotten")
    (case,) = (await mo.call("/moderation", "queue"))["cases"]
    await ana.call("/chat", "delete", message_id=said["id"])
    await world.settle()
    gone = (await mo.event("CASE_CHANGED")).data["case"]
    assert (gone["status"], gone["decided_by"], gone["hidden"]) == ("gone", None, False)
    assert (await mo.call("/moderation", "queue"))["cases"] == []
    opened = await mo.call("/moderation", "case", case_id=case["id"])
    assert (opened["message"]["deleted"], opened["message"]["text"]) == (True, "")
    assert opened["notes"][0]["note"] == ""
    payload = {"case_id": case["id"], "version": gone["version"], "decision": "hide"}
    assert await code_of(mo, "/moderation", "decide", **payload) == "CONFLICT"
    assert await rows_with(world, "rotten") == []


@both_databases
async def test_flagging_a_message_while_it_is_deleted_leaves_no_open_case(world):
    group, (ana, ben, cleo) = await group_of(world, "ana", "ben", "cleo")
    mo = await moderator(world, "mo")
    for number in range(5):
        said = await say(ana, group, f"number {number}")
        this = {"message_id": said["id"]}
        codes = await asyncio.gather(
            code_of(ben, "/moderation", "flag", **this, reason="spam"),
            code_of(ana, "/chat", "delete", **this),
            code_of(cleo, "/moderation", "flag", **this, reason="spam"),
        )
        assert set(codes) <= {None, "NOT_FOUND"}
    await world.settle()
    assert (await mo.call("/moderation", "queue"))["cases"] == []


async def test_decisions_stay_in_the_audit_log_after_the_message_is_deleted(world):
    case, message, (ana, *_) = await flagged(world)
    mo = await moderator(world, "mo")
    decided = await decide(mo, case, "hide", note="rude")
    await ana.call("/chat", "delete", message_id=message["id"])
    await world.settle()
    (act,) = (await mo.call("/moderation", "audit"))["entries"]
    assert (act["act"], act["note"], act["case_id"]) == ("hide", "rude", case["id"])
    payload = {"case_id": case["id"], "version": decided["version"]}
    assert await code_of(mo, "/moderation", "undo", **payload) == "CONFLICT"


async def test_users_who_flagged_are_notified_once_without_the_result(world):
    case, message, (ana, ben, cleo, *_) = await flagged(world)
    await flag(cleo, message["id"])
    mo = await moderator(world, "mo")
    decided = await decide(mo, case, "hide", note="too rude")
    await decide(mo, await undo(mo, decided), "dismiss")
    await world.settle()
    for one in (ben, cleo):
        notices = (await one.call("/notifications", "list"))["notifications"]
        (answer,) = [notice for notice in notices if notice["kind"] == "flag_answered"]
        assert answer["data"] == {}
        for secret in (mo.id, ana.id, message["id"], "rude", "hid"):
            assert secret not in json.dumps(answer | {"id": "", "kind": ""})
    notices = (await ana.call("/notifications", "list"))["notifications"]
    assert "flag_answered" not in [notice["kind"] for notice in notices]


async def test_the_audit_log_is_listed_in_pages_newest_first(world):
    case, _, _ = await flagged(world)
    mo = await moderator(world, "mo")
    for _ in range(2):
        case = await undo(mo, await decide(mo, case, "hide"))
    found, before = [], None
    while True:
        page = await mo.call("/moderation", "audit", limit=3, before=before)
        found += [one["act"] for one in page["entries"]]
        if (before := page["next"]) is None:
            break
    assert found == ["undo", "hide", "undo", "hide"]
