"""Moderators: the operator grants and revokes the role, which takes effect immediately."""

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any

from handlers.platform.moderation.public import grant_role, revoke_role
from server import operator
from tests.parts.launcher import run_to_end
from tests.platform.chat.scenes import say
from tests.platform.chat.test_snapshots import Mirror, Step, check
from tests.platform.moderation.scenes import code_of, decide, flag, group_of, moderator, undo
from tests.wire_client import Heard
from tests.world import Person, Process, both_databases, until


async def test_only_the_operator_makes_a_user_a_moderator(world):
    mo = await (await world.person("mo")).enter("/moderation", "/profile")
    assert set(mo.client.synced["/moderation"]["rooms"]) == {f"user:{mo.id}"}
    assert await code_of(mo, "/moderation", "queue") == "FORBIDDEN"
    assert await operator.grant(world.app, mo.email, "moderator")
    added = await mo.event("MODERATOR_ADDED")
    assert added.data == {"user_id": mo.id, "seq": 1}
    (act,) = (await mo.call("/moderation", "audit"))["entries"]
    assert (act["act"], act["role"], act["user_id"], act["actor_id"]) == (
        "grant",
        "moderator",
        mo.id,
        None,
    )
    assert not await operator.grant(world.app, "nobody@example.org", "moderator")


async def test_a_new_moderator_joins_the_room_without_reconnecting(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    mo = await (await world.person("mo")).enter("/moderation")
    early, late = [(await say(ana, group, text))["id"] for text in ("early", "late")]
    await flag(ben, early)
    await world.transact(grant_role, mo.id, "moderator")
    added = await mo.event("MODERATOR_ADDED", lambda data: True)
    await mo.client.until(lambda: len(mo.events("MODERATOR_ADDED")) == 2)
    assert {heard.meta["room"] for heard in mo.events("MODERATOR_ADDED")} == {
        "moderators",
        f"user:{mo.id}",
    }
    await flag(ben, late)
    opened = await mo.event("CASE_OPENED")
    assert (opened.data["case"]["message_id"], opened.meta["seq"]) == (late, added.data["seq"] + 1)
    page = await mo.call("/moderation", "queue")
    assert ([case["message_id"] for case in page["cases"]], page["seq"]) == ([early, late], 3)


async def test_a_revoked_role_ends_immediately_on_every_device(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    mo, al = await moderator(world, "mo"), await moderator(world, "al")
    phone = await (await mo.device()).enter("/moderation")
    said = [(await say(ana, group, text))["id"] for text in ("one", "two")]
    await flag(ben, said[0])
    await mo.event("CASE_OPENED")
    (case,) = (await mo.call("/moderation", "queue"))["cases"]
    assert await operator.revoke(world.app, mo.email, "moderator")
    payload = {"case_id": case["id"], "version": 1, "decision": "hide"}
    for command, ask in (("queue", {}), ("decide", payload), ("audit", {})):
        assert await code_of(mo, "/moderation", command, **ask) == "FORBIDDEN"
    await flag(ben, said[1])
    await al.event("CASE_OPENED", lambda data: data["case"]["message_id"] == said[1])
    for device in (mo.client, phone):
        await device.until(lambda d=device: len(d.events("MODERATOR_REMOVED")) == 2)
        await device.call("/profile", "me") if "/profile" in device.synced else None
        assert len(device.events("CASE_OPENED")) == 1
        last = [heard.name for heard in device.heard if heard.meta.get("room") == "moderators"]
        assert last[-1] == "MODERATOR_REMOVED"
    assert await code_of(mo, "/chat", "list") is None, "nothing else of the person ends"
    spy = await mo.device()
    await spy.enter("/moderation", since={"moderators": 0})
    assert set(spy.synced["/moderation"]["rooms"]) == {f"user:{mo.id}"}
    assert spy.heard == []
    acts = [one["act"] for one in (await al.call("/moderation", "audit"))["entries"]]
    assert acts == ["revoke"]
    assert not await operator.revoke(world.app, "nobody@example.org", "moderator")


def operate(process: Process, *words: str) -> int:
    """The exit code of `run.py` with these arguments, beside the serving process."""
    environ = {"PATH": os.environ["PATH"], **process.environ}
    return run_to_end(["run.py", *words], environ).returncode


async def test_the_command_line_changes_roles_on_the_running_server(process):
    mo = await (await process.sign_up("mo")).enter("/moderation")
    asked = mo.email, "moderator"
    assert await asyncio.to_thread(operate, process, "grant", *asked) == 0
    await mo.event("MODERATOR_ADDED", lambda data: data["user_id"] == mo.id)
    await until(lambda: code_is(mo, None))
    assert await asyncio.to_thread(operate, process, "revoke", *asked) == 0
    await mo.event("MODERATOR_REMOVED", lambda data: data["user_id"] == mo.id)
    await until(lambda: code_is(mo, "FORBIDDEN"))
    assert await asyncio.to_thread(operate, process, "revoke", "no@example.org", "admin") == 1
    assert await asyncio.to_thread(operate, process, "revoke", mo.email, "student") == 2
    assert await asyncio.to_thread(operate, process, "grant", mo.email, "consultant") == 2


async def code_is(person: Person, code: str | None) -> bool:
    return await code_of(person, "/moderation", "queue") == code


@both_databases
async def test_repeated_grants_and_revokes_change_nothing(world):
    mo = await world.person("mo")
    await world.transact(revoke_role, mo.id, "moderator")
    await asyncio.gather(*(world.transact(grant_role, mo.id, "moderator") for _ in range(4)))
    assert len(await world.stored("MODERATOR_ADDED")) == 1
    assert len(await world.stored("ROLES_CHANGED")) == 1
    await mo.enter("/moderation")
    assert len((await mo.call("/moderation", "audit"))["entries"]) == 1


@dataclass
class Queue(Mirror):
    """The open cases, as a moderator's client keeps them."""

    cases: dict[str, Any] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        page = await person.call("/moderation", "queue", limit=100)
        self.cases = {case["id"]: case for case in page["cases"]}
        self.seqs["moderators"] = page["seq"]

    def apply(self, heard: Heard) -> None:
        if heard.meta["room"] != "moderators":
            return
        self.seqs["moderators"] = heard.meta["seq"]
        if (case := heard.data.get("case")) is not None:
            self.cases.pop(case["id"], None)
            if case["closed_at"] is None:
                self.cases[case["id"]] = case

    def state(self) -> Any:
        return sorted(self.cases.values(), key=lambda case: case["id"])


async def test_the_queue_equals_the_state_built_from_its_events(world):
    group, (ana, ben, cleo) = await group_of(world, "ana", "ben", "cleo")
    mo, al = await moderator(world, "mo"), await world.person("al")
    said = [(await say(ana, group, f"number {number}"))["id"] for number in range(3)]
    cases: dict[int, Any] = {}

    async def act(number: int, how: Any, *more: str) -> None:
        page = await mo.call("/moderation", "queue")
        known = {case["message_id"]: case for case in page["cases"]}
        case = known.get(said[number], cases.get(number))
        cases[number] = await how(mo, case, *more)

    story: list[Step] = [
        lambda: flag(ben, said[0]),
        lambda: flag(cleo, said[0]),
        lambda: flag(ben, said[1]),
        lambda: act(0, decide, "hide"),
        lambda: world.transact(grant_role, al.id, "moderator"),
        lambda: flag(cleo, said[2]),
        lambda: act(1, decide, "dismiss"),
        lambda: act(0, undo),
        lambda: ana.call("/chat", "delete", message_id=said[2]),
        lambda: world.transact(revoke_role, al.id, "moderator"),
    ]
    await check(world, mo, "/moderation", Queue, story)
