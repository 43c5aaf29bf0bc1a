"""Who had their account deleted left nothing: each row and each file is looked at."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.kit.personal_data import Erase
from handlers.platform.personal_data import personal
from handlers.platform.personal_data.service import erasure
from storage.consulting.booking import bookings
from storage.engine.columns import metadata
from storage.engine.personal import personal_of
from storage.platform.profile import erased_address
from tests.platform.personal_data.life import (
    FOUND_EVERYWHERE,
    IN_FILES,
    SECRETS,
    TAKEN_BACK,
    Life,
    count_rows,
    files_of,
    find,
    prepared,
    rows_of,
    searched,
)
from tests.platform.uploads.uploading import picture
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, until, with_server

pytestmark = with_server

GRACE = timedelta(days=30)
SEARCHED = ("chaffinch", "brambling", "serin", "hawfinch")
GROUP = FOUND_EVERYWHERE["group"]
WORDS = [*FOUND_EVERYWHERE.values(), IN_FILES, *SECRETS.values(), TAKEN_BACK]


async def wait_for_the_day(life: Life) -> None:
    """Plan the deletion and let the time pass, but for a minute."""
    await life.ana.call("/account", "delete")
    await life.world.settle()
    life.world.clock.advance((GRACE - timedelta(minutes=1)).total_seconds())
    await life.world.settle()


async def be_busy_to_the_end(life: Life) -> None:
    """In the last minute she still does what people do."""
    ana, ben, cora = life.ana, life.ben, life.cora
    await ana.call("/profile", "prove", password=PASSWORD)
    await ana.call("/account", "export")
    await prepared(ana)
    now = life.world.clock.now()
    span = {"from": now.isoformat(), "to": (now + timedelta(days=1)).isoformat()}
    listed = await cora.call("/availability", "list_blocks", consultant_id=ben.id, **span)
    first, second = listed["blocks"][3:5]
    topic = (await cora.call("/consultants", "get", consultant_id=ben.id))["topics"][0]
    note = FOUND_EVERYWHERE["note"]
    asked = {"block_id": first["id"], "topic_id": topic["id"], "note": note}
    await ana.call("/booking", "request", **asked)
    await cora.call("/booking", "request", block_id=second["id"], topic_id=topic["id"])
    await ana.call("/availability", "join_waiting_list", block_id=second["id"])
    await life.world.settle()


async def erase(life: Life) -> None:
    """Let the rest pass, and the second look too."""
    life.world.clock.advance(61)
    await life.world.settle()
    life.world.clock.advance(3_601)
    await life.world.settle()


async def test_nothing_is_left_of_who_did_everything_and_others_keep_what_is_theirs(life):
    there = await find(life.world, *WORDS)
    assert set(FOUND_EVERYWHERE.values()) - set(there) == set(), "or the test looks for nothing"
    assert IN_FILES in there
    held = await searched(life.world)
    assert all(word in held for word in SEARCHED)
    await wait_for_the_day(life)
    await be_busy_to_the_end(life)
    others = await count_rows(life.world, life.ben, life.cora)
    await erase(life)
    assert await find(life.world, *WORDS) == {}
    assert files_of(life.world) == []
    held = await searched(life.world)
    assert not [word for word in SEARCHED if word in held]
    others["notifications"] += 1  # Ben's of the booking that was called off
    others["message_reactions"] -= 1  # Ben's sign on what she said went with it
    assert await count_rows(life.world, life.ben, life.cora) == others
    assert len(await find(life.world, "Ben keeps what he said", "Cora keeps it too")) == 2
    assert await live_bookings(life) == []
    assert life.world.mails.to(erased_address(life.ana.id)) == []
    await check_every_table(life)


async def live_bookings(life: Life) -> list[Any]:
    rows = await rows_of(life.world, bookings, "student_id", life.ana.id)
    rows += await rows_of(life.world, bookings, "consultant_id", life.ana.id)
    assert rows
    return [row for row in rows if row["status"] in ("requested", "approved")]


async def check_every_table(life: Life) -> None:
    """Each table has become what it says of itself, those of domains' own hands too."""
    for table in metadata.sorted_tables:
        declared = personal_of(table)
        for owner in set(declared.deleted_with) - set(declared.found_through):
            assert await rows_of(life.world, table, owner, life.ana.id) == [], table.name
        for owner, fields in declared.cleared_for.items():
            for row in await rows_of(life.world, table, owner, life.ana.id):
                for name, becomes in fields.items():
                    expected = becomes(life.ana.id) if callable(becomes) else becomes
                    assert row[name] in (expected, None), f"{table.name}.{name}"


async def test_the_others_see_nobody_where_she_was(life):
    await wait_for_the_day(life)
    groups = [one for one in await conversations(life.ben) if one["kind"] == "group"]
    assert {one["name"] for one in groups} == {FOUND_EVERYWHERE["group"], "Group"}
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
    told = (await life.ben.call("/notifications", "list"))["notifications"]
    about = {one["body"] for one in told if one["about_id"] == life.ana.id}
    assert about == {"The user named in this notification deleted their account."}


async def conversations(person: Person) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await person.call("/chat", "list"))["conversations"]
    return listed


async def test_a_group_shows_no_picture_that_went_with_its_owner(life):
    brought = await life.files.upload(picture(), "image/jpeg", name="our group.jpg")
    group = next(one for one in await conversations(life.ben) if one["name"] == GROUP)
    shown = {"conversation_id": group["id"], "upload_id": brought["id"]}
    await life.ana.call("/chat", "set_picture", **shown)
    await wait_for_the_day(life)
    await erase(life)
    (left,) = [one for one in await conversations(life.ben) if one["id"] == group["id"]]
    assert left["picture_id"] is None


async def test_a_device_that_returns_gets_the_rewritten_past_without_gaps(life):
    rooms = {one["id"]: one["seq"] for one in await conversations(life.ben)}
    await wait_for_the_day(life)
    await erase(life)
    back = await life.ben.device()
    await back.enter("/chat", since={f"chat:{one}": 0 for one in rooms})
    for room in (f"chat:{one}" for one in rooms):
        synced = back.synced["/chat"]["rooms"][room]
        assert synced["recovered"]
        heard = [one.meta["seq"] for one in back.heard if one.meta.get("room") == room]
        assert heard == list(range(1, synced["seq"] + 1))
    assert "Ben keeps what he said" in str(back.heard)
    for word in WORDS:
        assert word not in str(back.heard)


async def test_her_sessions_end_everywhere_and_her_address_is_free(life):
    await wait_for_the_day(life)
    email = FOUND_EVERYWHERE["email"]
    mails = len(life.world.mails.to(email))
    await erase(life)
    await until(lambda: life.ana.client.closed.is_set())
    door = await life.world.visitor("/auth")
    said = await door.ask("/auth", "login", {"email": email, "password": PASSWORD})
    assert said["error"]["code"] == "CREDENTIALS_WRONG"
    token = {"refresh_token": life.ana.session["refresh_token"]}
    assert (await door.ask("/auth", "refresh", token))["error"]["code"] == "TOKEN_INVALID"
    with pytest.raises(Refused):
        await (await life.world.connect(life.ana.token)).enter("/profile")
    farewell = await life.world.mails.wait_for(email, mails + 1)
    assert farewell["Subject"] == "Your account was deleted"
    await door.enter("/signup")
    await door.call("/signup", "start", email=email)
    pincode = await life.world.mails.pincode(email, 3)
    names = {"first_name": "Another", "last_name": "One", "password": PASSWORD}
    again = await door.call("/signup", "complete", email=email, pincode=pincode, **names)
    assert again["user"]["id"] != life.ana.id


async def test_a_little_at_a_time_is_all_in_the_end_whatever_stops_it(life, monkeypatch):
    """With pieces of one row, and a failure in each step that must begin again."""
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
    await wait_for_the_day(life)
    life.world.clock.advance(61)
    while not await life.world.stored("ACCOUNT_DELETED"):
        life.world.clock.advance(2)  # for the pauses after the failures
        try:
            await life.world.settle()
        except AssertionError:
            continue  # there is more than a settling may do
    assert failed == list(steps)
    assert await find(life.world, *WORDS) == {}
    await check_every_table(life)
