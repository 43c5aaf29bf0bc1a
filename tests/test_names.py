"""Names are checked when users enter them, and quoted safely in mails and titles."""

from typing import Any

import pytest

from handlers.kit.texts import CHECKED
from handlers.platform.auth.devices import name_of
from storage.platform.profile import find_user, update_user
from tests.platform.chat.scenes import offer, say, talk
from tests.platform.uploads.uploading import RestRefused, uploader
from tests.test_strangers import EVERY_ROW
from tests.wire_client import Refused
from tests.world import Person, World, one_database

ODD = [
    "a\n\nPay here",
    "a\x1b[2J",
    "a\u202egpj",
    "\u200b",
    "a\u200bb",
    "\u3164",
    "a" + "\u0301" * 9,
]
PHISH = "King\r\n\r\nYour account is locked.\u2028Pay at https://evil.example\u202e"


@pytest.fixture
async def ben(world: World) -> Person:
    return await (await world.person("ben", consultant=True)).enter("/chat")


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/chat")


async def everything(world: World) -> str:
    def read(tx: Any) -> list[Any]:
        return [tx.all(lambda *row: row, rows) for rows in EVERY_ROW.values()]

    return repr(await world.read(read))


async def refusal_of(person: Person, door: str, payload: dict[str, Any]) -> tuple[str, str]:
    """The code and the path of a command's refusal."""
    namespace, command = door.split()
    with pytest.raises(Refused) as refused:
        await person.call(namespace, command, **payload)
    return refused.value.code, refused.value.details["path"]


async def test_no_command_takes_a_name_that_is_not_one_visible_line(world, ana, ben):
    shop = await offer(world, ben)
    group = await talk(ben, ana, await world.person("cleo"))
    message = await say(ben, group, "hello")
    topic = {
        "description": "",
        "hourly_rate": {"amount": 1, "currency": "EUR"},
        "minimal_duration_minutes": 1,
    }
    doors = [
        ("/profile update", "first_name", {}),
        ("/profile update", "last_name", {}),
        ("/chat create_group", "name", {"member_ids": [ana.id]}),
        ("/chat rename", "name", {"conversation_id": group}),
        ("/chat react", "emoji", {"message_id": message["id"]}),
        ("/consultants add_topic", "name", topic),
        ("/consultants update_topic", "name", {"topic_id": shop.topic["id"]}),
    ]
    await world.settle()
    before = await everything(world)
    for door, field, more in doors:
        for text in ODD:
            found = await refusal_of(ben, door, {**more, field: text[:16]})
            assert found == ("INVALID", f"$.{field}"), (door, ascii(text))
    for door, field, more in (
        ("/booking request", "note", shop.ask()),
        ("/consultants update", "about_me", {}),
        ("/consultants add_topic", "description", {**topic, "name": "Taxes"}),
    ):
        found = await refusal_of(ben, door, {**more, field: "a\x1b[2J"})
        assert found == ("INVALID", f"$.{field}")
    assert await everything(world) == before, "and nothing was changed"


@one_database
async def test_signing_up_needs_a_name_of_one_visible_line(world):
    stranger = await world.visitor("/signup")
    await stranger.call("/signup", "start", email="dora@example.org")
    ask = {
        "email": "dora@example.org",
        "pincode": await world.mails.pincode("dora@example.org"),
        "password": "correct horse battery",
        "first_name": " Dora\u00a0 Ann ",
    }
    for text in ODD:
        with pytest.raises(Refused, match="INVALID"):
            await stranger.call("/signup", "complete", **ask, last_name=text)
    session = await stranger.call("/signup", "complete", **ask, last_name="Day")
    assert session["user"]["first_name"] == "Dora Ann", "the refusals used up no pincode"


@one_database
async def test_file_names_contain_no_paths_and_no_deceptive_characters(world, ana):
    async with uploader(world, ana) as files:
        for name in ("a/b.txt", "a\\b.txt", "..", ".profile", "a.txt.", "a\u202etxt.exe", "a\nb"):
            with pytest.raises(RestRefused) as refused:
                await files.start(b"a", "text/plain", name=name)
            assert refused.value.code == "INVALID", name
            assert refused.value.details["path"] == "$.name"
        begun = await files.start(b"a", "text/plain", name=" r\u00e9sum\u00e9  1.txt ")
    assert begun["name"] == "r\u00e9sum\u00e9 1.txt"


async def test_an_old_unchecked_name_is_quoted_on_one_line_in_a_mail(world, ana, ben):
    def rename(tx: Any) -> None:
        row = find_user(tx, ben.id)
        row.last_name = f"”{PHISH}"
        update_user(tx, row)

    await world.transact(rename)
    shop = await offer(world, ben)
    booking = await ana.call("/booking", "request", **shop.ask())
    await ben.call("/booking", "approve", booking_id=booking["id"], reason="King")
    await world.settle()
    mail = await world.mails.wait_for(ana.email)
    text = mail.get_body(("plain",)).get_content()
    [said] = [one for one in text.splitlines() if "approved" in one]
    name = "“Ben 'King Your account is locked. Pay at https://evil.example”"
    assert said.startswith(f"{name} approved your booking for ")
    assert [one for one in text.splitlines() if "locked" in one] == [said]
    notices = (await ana.call("/notifications", "list"))["notifications"]
    assert [one["body"] for one in notices if "locked" in one["body"]] == [said]


async def test_only_the_reason_of_a_change_is_quoted_in_mails_and_notifications(world, ana, ben):
    shop = await offer(world, ben)
    said = "Quetzal, pay at https://evil.example"
    booking = await ana.call("/booking", "request", **shop.ask(), note=said)
    reason = "”King\n\nYour account is locked. Pay at https://evil.example"
    await ben.call("/booking", "reject", booking_id=booking["id"], reason=reason)
    chat = await talk(ben, ana)
    await ben.call(
        "/chat", "send", conversation_id=chat, client_id="1", text=said, mentions=[ana.id]
    )
    await world.settle()
    for person in (ana, ben):
        told = await person.call("/notifications", "list")
        assert "Quetzal" not in repr(told)
        for mail in world.mails.to(person.email):
            assert "Quetzal" not in mail.as_string()
    text = world.mails.to(ana.email)[-1].get_body(("plain",)).get_content()
    [line] = [one for one in text.splitlines() if "locked" in one]
    quoted = "“'King Your account is locked. Pay at https://evil.example”"
    assert line.endswith(f"Reason: {quoted}"), "on one line, in quotes that it cannot close"


AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0": "Firefox on Linux",
    "ParleyApp/1.0 (iOS 17)": "ParleyApp",
    "MyApp": "MyApp",
    "All is well. Ignore this. /1": "unknown",
    "a\u202eb/1": "unknown",
    "a\u2028b": "unknown",
    "": "unknown",
}


@pytest.mark.parametrize(("agent", "name"), AGENTS.items(), ids=map(ascii, AGENTS))
def test_a_device_has_a_short_name_from_its_user_agent(agent, name):
    assert name_of(agent) == name
    assert CHECKED["line"](name) == name
