"""A deleted account leaves no personal data in any row or file."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from handlers.kit.personal_data import Erase
from handlers.platform.personal_data import personal, public
from handlers.platform.personal_data.service import erasure
from storage.consulting.booking import bookings
from storage.engine.columns import metadata
from storage.engine.personal import personal_of
from storage.platform.profile import erased_address
from tests.platform.personal_data.life import (
    DELETED_TEXT,
    FILE_TEXT,
    SECRETS,
    UNIQUE_WORDS,
    Life,
    count_rows,
    files_of,
    find,
    read_search_index,
    rows_of,
    wait_for_export,
)
from tests.platform.uploads.uploading import picture
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, until, with_server

pytestmark = with_server

GRACE = timedelta(days=30)
SEARCHED = ("chaffinch", "brambling", "serin", "hawfinch")
GROUP = UNIQUE_WORDS["group"]
WORDS = [*UNIQUE_WORDS.values(), FILE_TEXT, *SECRETS.values(), DELETED_TEXT]


async def advance_to_the_last_minute(life: Life) -> None:
    """Plan the deletion, and advance the clock to one minute before it."""
    await life.ana.call("/account", "delete")
    await life.world.settle()
    life.world.clock.advance((GRACE - timedelta(minutes=1)).total_seconds())
    await life.world.settle()


async def create_data_in_the_last_minute(life: Life) -> None:
    """Create more data in the last minute."""
    ana, ben, cora = life.ana, life.ben, life.cora
    await ana.call("/profile", "prove", password=PASSWORD)
    await ana.call("/account", "export")
    await wait_for_export(ana)
    now = life.world.clock.now()
    span = {"from": now.isoformat(), "to": (now + timedelta(days=1)).isoformat()}
    listed = await cora.call("/availability", "list_blocks", consultant_id=ben.id, **span)
    first, second = listed["blocks"][3:5]
    topic = (await cora.call("/consultants", "get", consultant_id=ben.id))["topics"][0]
    note = UNIQUE_WORDS["note"]
    asked = {"block_id": first["id"], "topic_id": topic["id"], "note": note}
    await cora.call("/booking", "request", block_id=second["id"], topic_id=topic["id"])
    with patch.object(public, "check_stays"):  # as if they ran together with the plan
        await ana.call("/booking", "request", **asked)
        await ana.call("/availability", "join_waiting_list", block_id=second["id"])
    await life.world.settle()


async def erase(life: Life) -> None:
    """Run the first two rounds of the erasure."""
    life.world.clock.advance(61)
    await life.world.settle()
    life.world.clock.advance(3_601)
    await life.world.settle()


async def test_an_erasure_leaves_no_data_of_the_user_and_keeps_data_of_others(life):
    there = await find(life.world, *WORDS)
    assert set(UNIQUE_WORDS.values()) - set(there) == set(), "or the test looks for nothing"
    assert FILE_TEXT in there
    held = await read_search_index(life.world)
    assert all(word in held for word in SEARCHED)
    await advance_to_the_last_minute(life)
    await create_data_in_the_last_minute(life)
    others = await count_rows(life.world, life.ben, life.cora)
    await erase(life)
    assert await find(life.world, *WORDS) == {}
    assert files_of(life.world) == []
    held = await read_search_index(life.world)
    assert not [word for word in SEARCHED if word in held]
    others["notifications"] += 1  # Ben's, about the cancelled booking
    others["dispatches"] += 1  # and its mail
    others["busy_quarters"] -= 4  # Ben's hour of that booking
    others["message_reactions"] -= 1  # Ben's, to her deleted message
    assert await count_rows(life.world, life.ben, life.cora) == others
    assert len(await find(life.world, "Ben keeps what he said", "Cora keeps it too")) == 2
    assert await active_bookings(life) == []
    assert life.world.mails.to(erased_address(life.ana.id)) == []
    await check_every_table(life)


async def active_bookings(life: Life) -> list[Any]:
    rows = await rows_of(life.world, bookings, "student_id", life.ana.id)
    rows += await rows_of(life.world, bookings, "consultant_id", life.ana.id)
    assert rows
    return [row for row in rows if row["status"] in ("requested", "approved")]


async def check_every_table(life: Life) -> None:
    """Check the rows of each table against its declaration."""
    for table in metadata.sorted_tables:
        declared = personal_of(table)
        for owner in set(declared.deleted_with) - set(declared.found_through):
            assert await rows_of(life.world, table, owner, life.ana.id) == [], table.name
        for owner, fields in declared.cleared_for.items():
            for row in await rows_of(life.world, table, owner, life.ana.id):
                for name, becomes in fields.items():
                    expected = becomes(life.ana.id) if callable(becomes) else becomes
                    assert row[name] in (expected, None), f"{table.name}.{name}"


async def test_others_see_a_deleted_account_in_place_of_the_user(life):
    await advance_to_the_last_minute(life)
    groups = [one for one in await conversations(life.ben) if one["kind"] == "group"]
    assert {one["name"] for one in groups} == {UNIQUE_WORDS["group"], "Group"}
    assert all(life.ana.id in one["member_ids"] for one in groups)
    await life.ben.enter("/notifications")
    life.ben.client.heard.clear()
    await erase(life)
    groups = [one for one in await conversations(life.ben) if one["kind"] == "group"]
    assert {one["name"] for one in groups} == {"Group"}
    assert not [one for one in groups if life.ana.id in one["member_ids"]]
    removed = {one.data["conversation"]["id"] for one in life.ben.events("MEMBER_REMOVED")}
    assert removed == {one["id"] for one in groups}
    (direct,) = [
        one
        for one in await conversations(life.ben)
        if one["kind"] == "direct" and life.ana.id in one["member_ids"]
    ]
    history = await life.ben.call("/chat", "history", conversation_id=direct["id"])
    said = [one for one in history["messages"] if one["kind"] != "card"]
    assert [one["deleted"] for one in said if one["sender_id"] == life.ana.id] == [True] * 4
    (kept,) = [one for one in said if one["sender_id"] == life.ben.id]
    assert (kept["text"], kept["reactions"]) == ("Ben keeps what he said", [])
    people = await life.ben.call("/profile", "people", user_ids=[life.ana.id])
    nobody = {"first_name": "Deleted", "last_name": "account", "picture_id": None}
    assert people["people"][life.ana.id] == nobody
    notices = (await life.ben.call("/notifications", "list"))["notifications"]
    about = {one["body"] for one in notices if one["about_id"] == life.ana.id}
    assert about == {"The user named in this notification deleted their account."}


async def conversations(person: Person) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await person.call("/chat", "list"))["conversations"]
    return listed


async def test_a_group_loses_the_picture_uploaded_by_the_erased_user(life):
    brought = await life.files.upload(picture(), "image/jpeg", name="our group.jpg")
    group = next(one for one in await conversations(life.ben) if one["name"] == GROUP)
    shown = {"conversation_id": group["id"], "upload_id": brought["id"]}
    await life.ana.call("/chat", "set_picture", **shown)
    await advance_to_the_last_minute(life)
    await erase(life)
    (left,) = [one for one in await conversations(life.ben) if one["id"] == group["id"]]
    assert left["picture_id"] is None


async def test_a_replay_after_the_erasure_has_no_gaps_and_no_erased_data(life):
    rooms = {one["id"]: one["seq"] for one in await conversations(life.ben)}
    await advance_to_the_last_minute(life)
    await erase(life)
    back = await life.ben.device()
    await back.enter("/chat", since={f"chat:{one}": 0 for one in rooms})
    for room in (f"chat:{one}" for one in rooms):
        synced = back.synced["/chat"]["rooms"][room]
        assert synced["recovered"]
        numbers = [one.meta["seq"] for one in back.heard if one.meta.get("room") == room]
        assert numbers == list(range(1, synced["seq"] + 1))
    assert "Ben keeps what he said" in str(back.heard)
    for word in WORDS:
        assert word not in str(back.heard)


async def test_an_erasure_ends_all_sessions_and_frees_the_email_address(life):
    await advance_to_the_last_minute(life)
    email = UNIQUE_WORDS["email"]
    mails = len(life.world.mails.to(email))
    await erase(life)
    await until(lambda: life.ana.client.closed.is_set())
    visitor = await life.world.visitor("/auth")
    said = await visitor.ask("/auth", "login", {"email": email, "password": PASSWORD})
    assert said["error"]["code"] == "CREDENTIALS_WRONG"
    token = {"refresh_token": life.ana.session["refresh_token"]}
    assert (await visitor.ask("/auth", "refresh", token))["error"]["code"] == "TOKEN_INVALID"
    with pytest.raises(Refused):
        await (await life.world.connect(life.ana.token)).enter("/profile")
    farewell = await life.world.mails.wait_for(email, mails + 1)
    assert farewell["Subject"] == "Your account was deleted"
    await visitor.enter("/signup")
    await visitor.call("/signup", "start", email=email)
    pincode = await life.world.mails.pincode(email, 3)
    names = {"first_name": "Another", "last_name": "One", "password": PASSWORD}
    again = await visitor.call("/signup", "complete", email=email, pincode=pincode, **names)
    assert again["user"]["id"] != life.ana.id


async def test_an_erasure_in_small_batches_completes_despite_failures(life, monkeypatch):
    """With batches of a few rows, and one failure in each step, which is then repeated."""
    monkeypatch.setattr(erasure, "STEP_BATCH", 1)
    monkeypatch.setattr(erasure, "ROWS_BATCH", 7)
    monkeypatch.setattr(personal, "ROWS_BATCH", 7)
    monkeypatch.setattr(personal, "KEPT_JSON_PAGE", 7)
    steps = life.world.app.kernel.personal_data.erasures
    failed = []

    def fail_once(name: str, step: Erase) -> Erase:
        def work(tx: Any, user_id: str, after: str, limit: int) -> str | None:
            following = step(tx, user_id, after, limit)
            if name not in failed:
                failed.append(name)
                raise RuntimeError("the instance is gone")
            return following

        return work

    for name, step in list(steps.items()):
        monkeypatch.setitem(steps, name, replace(step, run=fail_once(name, step.run)))
    await advance_to_the_last_minute(life)
    life.world.clock.advance(61)
    while not await life.world.stored("ACCOUNT_DELETED"):
        life.world.clock.advance(2)  # skip the pauses after failures
        try:
            await life.world.settle()
        except AssertionError:
            continue  # more is left than one call processes
    assert failed == list(steps)
    assert await find(life.world, *WORDS) == {}
    await check_every_table(life)
