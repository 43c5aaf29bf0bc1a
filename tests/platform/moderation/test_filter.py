"""The word filter refuses texts without storing them, or opens a case for moderators."""

from pathlib import Path

import pytest
from sqlalchemy import select

from handlers.platform.moderation.service.cases import record_hit
from server.settings import WrongSetting, read_settings
from storage.events.log import events
from tests.parts.ports import free_port
from tests.platform.chat.scenes import offer, say, talk, texts
from tests.platform.chat.test_messages import rows_with
from tests.platform.moderation.scenes import code_of, decide, flag, get_message, group_of, moderator
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
    """`(message, hit, flags)` of each open case."""
    await world.settle()
    mo = await world.person(f"mo{len(world.clients)}", "moderator")
    cases = (await mo.call("/moderation", "queue"))["cases"]
    return [(case["message_id"], case["hit"], case["flags"]) for case in cases]


async def test_refused_texts_are_not_stored(world):
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


async def test_flagged_texts_are_sent_and_open_a_case(world):
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
    assert not (await get_message(ben, said["id"]))["hidden"]


async def test_notes_of_booking_requests_in_a_conversation_are_filtered(world):
    ana, ben = await world.person("ana"), await world.person("ben", consultant=True)
    shop, chat = await offer(world, ben), await talk(ana, ben)
    asking = {"conversation_id": chat, **shop.ask()}
    refusal = await code_of(ana, "/chat", "request_booking", **asking, note="so r0tten")
    assert refusal == "TEXT_REFUSED"
    assert (await ana.call("/booking", "list"))["bookings"] == []
    await ana.call("/chat", "request_booking", **asking, note="fishy taxes")
    card = (await ben.event("MESSAGE_SENT")).data["message"]
    assert await queue_of(world) == [(card["id"], "fishy", 0)]


async def test_reactions_that_spell_a_listed_word_are_refused(world):
    group, (ana, ben) = await group_of(world, "ana", "ben")
    said = await say(ana, group, "fine")
    for emoji in ("🆁🅾🆃🆃🅴🅽", "🇫🇮🇸🇭🇾"):
        code = await code_of(ben, "/chat", "react", message_id=said["id"], emoji=emoji)
        assert code == "TEXT_REFUSED"
    assert await code_of(ben, "/chat", "react", message_id=said["id"], emoji="🇫🇮") is None
    assert [one["emoji"] for one in (await get_message(ana, said["id"]))["reactions"]] == ["🇫🇮"]


async def test_deleting_a_flagged_message_leaves_no_case_and_no_word(world):
    group, (ana, _) = await group_of(world, "ana", "ben")
    said = await say(ana, group, "fishy", "c1")
    await ana.call("/chat", "delete", message_id=said["id"])
    await world.transact(record_hit, said["id"], "fishy")  # as if the consumer ran late
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
async def test_file_names_and_the_content_of_text_files_are_filtered(world):
    group, (ana, _) = await group_of(world, "ana", "ben")

    async def show(upload, **more):
        ask = {"conversation_id": group, "client_id": upload["id"], "upload_id": upload["id"]}
        return await ana.call("/chat", "send_media", **ask, **more)

    async with uploader(world, ana) as files:
        with pytest.raises(RestRefused, match="TEXT_REFUSED"):
            await files.start(PDF, "application/pdf", name="rotten.pdf")
        for before in (b"so ", b"so fine " * 20_000, b"x " * 4_094):
            with pytest.raises(RestRefused, match="TEXT_REFUSED"):
                await files.upload(before + b"rotten", "text/plain", name="a.txt")
        assert (await rows_with(world, "a.txt")) == []
        fishy = [
            await files.upload(PDF, "application/pdf", name="a fishy one.pdf"),
            await files.upload(b"a,b\nfishy,1", "text/csv", name="b.csv"),
            await files.upload(PDF, "application/pdf", name="c.pdf"),
        ]
        fine = await files.upload(b"%PDF-1.7 rotten fishy", "application/pdf", name="d.pdf")
    get_message = [await show(fishy[0]), await show(fishy[1]), await show(fishy[2], text="fishy")]
    await show(fine)
    ask = {"conversation_id": group, "client_id": "x", "upload_id": fine["id"]}
    assert await code_of(ana, "/chat", "send_media", **ask, text="rotten") in (
        "TEXT_REFUSED",
        "CONFLICT",
    )
    assert await queue_of(world) == [(one["id"], "fishy", 0) for one in get_message]


def test_an_unreadable_word_list_stops_startup(tmp_path):
    words = tmp_path / "words"
    for content, said in ((None, "No such file"), ("rotten\n", "line 1 is not")):
        if content is not None:
            words.write_text(content)
        with pytest.raises(WrongSetting, match=said) as wrong:
            read_settings({"PARLEY_WORDS_FILE": str(words)})
        assert str(wrong.value).startswith("PARLEY_WORDS_FILE: ")
    with pytest.raises(WrongSetting, match="PARLEY_TEXT_CHECK"):
        read_settings({"PARLEY_TEXT_CHECK": "magic"})
