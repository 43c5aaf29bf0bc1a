"""The filter at work: refused and nothing kept, or said and put before the moderators."""

from pathlib import Path

import pytest
from sqlalchemy import select

from handlers.platform.moderation.service.cases import record_hit
from server.settings import WrongSetting, read_settings
from storage.events.log import events
from tests.parts.ports import free_port
from tests.platform.chat.scenes import offer, say, talk, texts
from tests.platform.chat.test_messages import rows_with
from tests.platform.moderation.scenes import code_of, decide, flag, group_of, moderator, shown
from tests.platform.uploads.uploading import PDF, RestRefused, uploader
from tests.world import World, with_server


@pytest.fixture
async def world(make_world, tmp_path: Path) -> World:
    words = tmp_path / "words"
    words.write_text("# ours\nrefuse: rotten\nflag: fishy\n")
    port = free_port()
    return await make_world(
        port=port,
        PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}",
        PARLEY_WORDS_FILE=str(words),
    )


_NOTICED = select(events.c.data).where(events.c.name == "platform.MESSAGE_NOTICED")


async def queue_of(world: World) -> list[tuple[str, str, int]]:
    """`(message, hit, flags)` of the open cases."""
    await world.settle()
    mo = await world.person(f"mo{len(world.clients)}", "moderator")
    cases = (await mo.call("/moderation", "queue"))["cases"]
    return [(case["message_id"], case["hit"], case["flags"]) for case in cases]


async def test_what_is_refused_is_not_kept(world):
    group, (ana, ben, _) = await group_of(world, "ana", "ben", "cleo")
    fine = await say(ana, group, "fine")
    sending = {"conversation_id": group, "client_id": "c", "request_id": "r1"}
    refusals = [
        await code_of(ana, "/chat", "send", **sending, text="r o t t e n"),
        await code_of(ana, "/chat", "edit", message_id=fine["id"], text="r0tten"),
        await code_of(ana, "/chat", "create_group", name="The rotten", member_ids=[ben.id]),
        await code_of(ana, "/chat", "create_group", name="The fishy", member_ids=[ben.id]),
        await code_of(ana, "/chat", "rename", conversation_id=group, name="Fi-shy"),
    ]
    assert refusals == ["TEXT_REFUSED"] * 5
    assert [text for text in await texts(ben, group) if text] == ["fine"]
    assert await rows_with(world, "r o t t e n") == await rows_with(world, "r0tten") == []
    sent = await ana.call("/chat", "send", **sending, text="better")
    assert sent["text"] == "better", "a refusal uses up no id"
    assert await queue_of(world) == []


async def test_what_is_flagged_is_said_and_put_before_the_moderators(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    said = await say(ana, group, "this is F I S H Y")
    edited = await say(ana, group, "fine")
    await ana.call("/chat", "edit", message_id=edited["id"], text="fishy")
    assert await texts(ben, group) == ["this is F I S H Y", "fishy"]
    await flag(ben, said["id"])
    assert await queue_of(world) == [(said["id"], "fishy", 1), (edited["id"], "fishy", 0)]
    mo = await moderator(world, "mo")
    for case in (await mo.call("/moderation", "queue"))["cases"]:
        await decide(mo, case, "dismiss")
    assert not (await shown(ben, said["id"]))["hidden"]


async def test_what_a_booking_says_in_a_conversation_is_looked_at_too(world):
    ana, ben = await world.person("ana"), await world.person("ben", consultant=True)
    shop, chat = await offer(world, ben), await talk(ana, ben)
    asking = {"conversation_id": chat, **shop.ask()}
    refusal = await code_of(ana, "/chat", "request_booking", **asking, note="so r0tten")
    assert refusal == "TEXT_REFUSED"
    assert (await ana.call("/booking", "list"))["bookings"] == []
    await ana.call("/chat", "request_booking", **asking, note="fishy taxes")
    card = (await ben.event("MESSAGE_SENT")).data["message"]
    assert await queue_of(world) == [(card["id"], "fishy", 0)]


async def test_a_sign_is_no_way_to_spell_a_word(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    said = await say(ana, group, "fine")
    for emoji in ("🆁🅾🆃🆃🅴🅽", "🇫🇮🇸🇭🇾"):
        code = await code_of(ben, "/chat", "react", message_id=said["id"], emoji=emoji)
        assert code == "TEXT_REFUSED"
    assert await code_of(ben, "/chat", "react", message_id=said["id"], emoji="🇫🇮") is None
    assert [one["emoji"] for one in (await shown(ana, said["id"]))["reactions"]] == ["🇫🇮"]


async def test_what_is_noticed_and_taken_back_leaves_nothing(world):
    group, (ana, _) = await group_of(world, "ana", "ben")
    said = await say(ana, group, "fishy", "c1")
    await ana.call("/chat", "delete", message_id=said["id"])
    await world.transact(record_hit, said["id"], "fishy")  # as if it came late
    assert await queue_of(world) == []
    assert await world.read(lambda tx: tx.scalars(_NOTICED)) == [""]
    mo = await moderator(world, "mo")
    late = await say(ana, group, "fishy", "c2")
    ((_, hit, _),) = await queue_of(world)
    assert hit == "fishy"
    (case,) = (await mo.call("/moderation", "queue"))["cases"]
    decided = await decide(mo, case, "hide", request_id="r1")
    await ana.call("/chat", "delete", message_id=late["id"])
    assert await queue_of(world) == []
    assert await rows_with(world, "fishy") == []
    again = await decide(mo, case, "hide", request_id="r1")
    assert again == decided | {"hit": None, "hidden": False}


@with_server
async def test_files_are_looked_at_by_name_and_texts_by_what_they_say(world):
    group, (ana, _) = await group_of(world, "ana", "ben")

    async def show(upload, **more):
        ask = {"conversation_id": group, "client_id": upload["id"], "upload_id": upload["id"]}
        return await ana.call("/chat", "send_media", **ask, **more)

    async with uploader(world, ana) as bringing:
        with pytest.raises(RestRefused, match="TEXT_REFUSED"):
            await bringing.start(PDF, "application/pdf", name="rotten.pdf")
        for before in (b"so ", b"so fine " * 20_000, b"x " * 4_094):
            with pytest.raises(RestRefused, match="TEXT_REFUSED"):
                await bringing.upload(before + b"rotten", "text/plain", name="a.txt")
        assert (await rows_with(world, "a.txt")) == []
        fishy = [
            await bringing.upload(PDF, "application/pdf", name="a fishy one.pdf"),
            await bringing.upload(b"a,b\nfishy,1", "text/csv", name="b.csv"),
            await bringing.upload(PDF, "application/pdf", name="c.pdf"),
        ]
        fine = await bringing.upload(b"%PDF-1.7 rotten fishy", "application/pdf", name="d.pdf")
    shown = [await show(fishy[0]), await show(fishy[1]), await show(fishy[2], text="fishy")]
    await show(fine)
    ask = {"conversation_id": group, "client_id": "x", "upload_id": fine["id"]}
    assert await code_of(ana, "/chat", "send_media", **ask, text="rotten") in (
        "TEXT_REFUSED",
        "CONFLICT",
    )
    assert await queue_of(world) == [(one["id"], "fishy", 0) for one in shown]


def test_a_list_that_cannot_be_read_stops_the_start(tmp_path):
    words = tmp_path / "words"
    for content, said in ((None, "No such file"), ("rotten\n", "line 1 is not")):
        if content is not None:
            words.write_text(content)
        with pytest.raises(WrongSetting, match=said) as wrong:
            read_settings({"PARLEY_WORDS_FILE": str(words)})
        assert str(wrong.value).startswith("PARLEY_WORDS_FILE: ")
    with pytest.raises(WrongSetting, match="PARLEY_TEXT_CHECK"):
        read_settings({"PARLEY_TEXT_CHECK": "magic"})
