"""Files in conversations: members can download them until the message is deleted."""

import asyncio

import pytest

from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.parts.ports import free_port
from tests.platform.uploads.uploading import PDF, Uploader, picture, uploader
from tests.wire_client import Refused
from tests.world import Person, World, both_databases, one_database, until, with_server

pytestmark = with_server


@pytest.fixture
async def world(make_world) -> World:
    port = free_port()
    return await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


@pytest.fixture
async def ana(world: World):
    person = await (await world.person("ana")).enter("/chat")
    async with uploader(world, person) as one:
        yield one


@pytest.fixture
async def ben(world: World) -> Person:
    return await (await world.person("ben")).enter("/chat")


async def talk(ana: Uploader, ben: Person) -> str:
    conversation = await ana.person.call("/chat", "open", user_id=ben.id)
    await ben.event("CONVERSATION_OPENED")
    return conversation["id"]


async def send_file(ana: Uploader, conversation_id: str, upload_id: str, client_id="one", **more):
    return await ana.person.call(
        "/chat",
        "send_media",
        conversation_id=conversation_id,
        client_id=client_id,
        upload_id=upload_id,
        **more,
    )


async def code_of(who: Person, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await who.call("/chat", command, **payload)
    return refused.value.code


async def test_a_sent_picture_reaches_members_with_links_to_download_it(world, ana, ben):
    chat = await talk(ana, ben)
    upload = await ana.upload(picture(), "image/jpeg", name="the garden.jpg")
    sent = await send_file(ana, chat, upload["id"], text="look")
    assert (sent["kind"], sent["text"], sent["card"]) == ("media", "look", None)
    assert sent["media"] == {
        "kind": "image",
        "name": "the garden.jpg",
        "content_type": "image/jpeg",
        "size": upload["size"],
        "width": 640,
        "height": 480,
        "duration_ms": None,
        "thumbnail": True,
    }
    heard = await ben.event("MESSAGE_SENT")
    assert heard.data["message"] == sent
    history = await ben.call("/chat", "history", conversation_id=chat)
    assert history["messages"] == [sent]
    links = await ben.call("/chat", "media", message_id=sent["id"])
    for url in (links["url"], links["thumbnail_url"]):
        answer, content = await ana.fetch(url)
        assert answer.status == 200
        assert content
    (shared,) = await world.stored("MEDIA_SHARED")
    assert (shared["message_id"], shared["upload_id"]) == (sent["id"], upload["id"])
    late = await ben.device()
    await late.enter("/chat", since={f"chat:{chat}": heard.meta["seq"] - 1})
    assert (await late.event("MESSAGE_SENT")).data["message"] == sent


async def test_the_links_of_many_messages_come_in_one_answer(world, ana, ben):
    chat, eve = await talk(ana, ben), await world.person("eve")
    sent = []
    for name in ("one", "two"):
        upload = await ana.upload(PDF, "application/pdf", name=f"{name}.pdf")
        sent.append((await send_file(ana, chat, upload["id"], client_id=name))["id"])
    text = {"conversation_id": chat, "client_id": "text", "text": "no file"}
    words = (await ana.person.call("/chat", "send", **text))["id"]
    asked = [*sent, sent[0], words, eve.id]
    found = (await ben.call("/chat", "media_links", message_ids=asked))["media"]
    assert [one["message_id"] for one in found] == sent
    for one in found:
        assert (await ana.fetch(one["url"]))[1] == PDF
        assert one["expires_in_s"] == 300
        assert (await ben.call("/chat", "media", message_id=one["message_id"]))["url"]
    assert (await eve.call("/chat", "media_links", message_ids=asked))["media"] == []
    await ana.person.call("/chat", "delete", message_id=sent[0])
    found = (await ben.call("/chat", "media_links", message_ids=asked))["media"]
    assert [one["message_id"] for one in found] == sent[1:]
    for wrong in ([], sent * 26):
        assert await code_of(ben, "media_links", message_ids=wrong) == "INVALID"


@both_databases
async def test_search_finds_a_file_by_its_name_and_its_caption(ana, ben):
    chat = await talk(ana, ben)
    upload = await ana.upload(PDF, "application/pdf", name="Résumé 天気予報.pdf")
    sent = await send_file(ana, chat, upload["id"], text="look")
    for wanted in ("resume", "予報 look", "PDF"):
        found = await ben.call("/chat", "search", text=wanted)
        assert found["messages"] == [sent]


@both_databases
async def test_concurrent_sends_with_one_client_id_create_one_media_message(world, ana, ben):
    chat = await talk(ana, ben)
    upload = await ana.upload(PDF, "application/pdf")
    sent = await asyncio.gather(*(send_file(ana, chat, upload["id"]) for _ in range(4)))
    assert [one["id"] for one in sent] == [sent[0]["id"]] * 4
    assert (
        await code_of(
            ana.person,
            "send_media",
            conversation_id=chat,
            client_id="two",
            upload_id=upload["id"],
        )
        == "CONFLICT"
    )


async def test_a_client_id_cannot_be_used_with_another_file_or_caption(world, ana, ben):
    chat = await talk(ana, ben)
    first = await ana.upload(PDF, "application/pdf")
    other = await ana.upload(PDF, "application/pdf")
    sent = await send_file(ana, chat, first["id"], text="look")
    payload = {"conversation_id": chat, "client_id": "one", "upload_id": first["id"]}
    for change in ({"upload_id": other["id"], "text": "look"}, {"text": "Look!"}, {}):
        assert await code_of(ana.person, "send_media", **{**payload, **change}) == "CONFLICT"
    said = {"conversation_id": chat, "client_id": "one", "text": "look"}
    assert await code_of(ana.person, "send", **said) == "CONFLICT"
    assert await send_file(ana, chat, first["id"], text="look") == sent
    await send_file(ana, chat, other["id"], "two")  # a refused file is still free


async def test_a_caption_clears_its_draft(world, ana, ben):
    chat = await talk(ana, ben)
    upload = await ana.upload(PDF, "application/pdf")
    await ana.person.call("/chat", "draft", conversation_id=chat, text="look")
    await send_file(ana, chat, upload["id"], text="look at this")
    [listed] = (await ana.person.call("/chat", "list"))["conversations"]
    assert listed["draft"] == ""


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_file_that_another_transaction_uses_cannot_be_sent(world, ana, ben, database_url):
    chat = await talk(ana, ben)
    upload = await ana.upload(PDF, "application/pdf")
    payload = {"conversation_id": chat, "client_id": "one", "upload_id": upload["id"]}
    refusal = await ask_before_commit(
        database_url,
        "UPDATE uploads SET used = true WHERE id = $1",
        upload["id"],
        code_of(ana.person, "send_media", **payload),
    )
    assert refusal == "CONFLICT"


async def test_users_can_send_only_their_own_complete_uploads(world, ana, ben):
    chat = await talk(ana, ben)
    begun = await ana.start(PDF, "application/pdf")
    mine = await ana.upload(PDF, "application/pdf")
    for who, upload_id in ((ana.person, begun["id"]), (ben, mine["id"]), (ben, chat)):
        payload = {"conversation_id": chat, "client_id": "x", "upload_id": upload_id}
        assert await code_of(who, "send_media", **payload) == "NOT_FOUND"
    cem = await world.person("cem")
    payload = {"conversation_id": chat, "client_id": "x", "upload_id": mine["id"]}
    assert await code_of(cem, "send_media", **payload) == "NOT_FOUND"
    assert (await ana.ask("DELETE", f"/uploads/{mine['id']}")) == {}


async def test_only_users_who_can_read_a_message_get_links_to_its_file(world, ana, ben):
    cem = await (await world.person("cem")).enter("/chat")
    dan = await (await world.person("dan")).enter("/chat")
    group = await ana.person.call(
        "/chat", "create_group", name="Garden", member_ids=[ben.id, cem.id]
    )
    early = await send_file(ana, group["id"], (await ana.upload(PDF, "application/pdf"))["id"])
    await ana.person.call("/chat", "remove_member", conversation_id=group["id"], user_id=cem.id)
    await ana.person.call("/chat", "add_member", conversation_id=group["id"], user_id=dan.id)
    late = await send_file(
        ana, group["id"], (await ana.upload(PDF, "application/pdf"))["id"], "two"
    )
    for who, readable in ((ben, (early, late)), (cem, (early,)), (dan, (late,))):
        for message in (early, late):
            if message in readable:
                assert (await who.call("/chat", "media", message_id=message["id"]))["url"]
            else:
                assert await code_of(who, "media", message_id=message["id"]) == "NOT_FOUND"
    eve = await world.person("eve")
    assert await code_of(eve, "media", message_id=early["id"]) == "NOT_FOUND"


async def test_deleting_a_message_deletes_its_file(world, ana, ben):
    chat = await talk(ana, ben)
    upload = await ana.upload(picture(), "image/jpeg")
    sent = await send_file(ana, chat, upload["id"], text="secret")
    url = (await ben.call("/chat", "media", message_id=sent["id"]))["url"]
    edited = await ana.person.call("/chat", "edit", message_id=sent["id"], text="no secret")
    assert (edited["text"], edited["media"]) == ("no secret", sent["media"])
    gone = await ana.person.call("/chat", "delete", message_id=sent["id"])
    assert (gone["deleted"], gone["media"], gone["text"]) == (True, None, "")
    assert await code_of(ben, "media", message_id=sent["id"]) == "NOT_FOUND"
    await world.settle()
    await until(lambda: not [one for one in files_of(world) if upload["id"] in one])
    assert (await ana.fetch(url))[0].status == 404
    late = await ben.device()
    await late.enter("/chat", since={f"chat:{chat}": 0})
    assert not [one for one in late.heard if (one.data.get("message") or {}).get("media")]


def files_of(world: World) -> list[str]:
    folder = world.settings.data_dir / "files"
    return [str(one) for one in folder.rglob("*") if one.is_file()]


@one_database
async def test_a_recording_has_a_duration_and_a_picture_has_none(world, ana, ben):
    chat = await talk(ana, ben)
    webm = b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x86\x81\x01B\xf7\x81\x01" + (
        b"B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm" + bytes(200)
    )
    voice = await ana.upload(webm, "audio/webm;codecs=opus", name="voice.webm")
    assert (voice["kind"], voice["content_type"]) == ("audio", "audio/webm")
    sent = await send_file(ana, chat, voice["id"], duration_ms=4_200)
    assert (sent["media"]["kind"], sent["media"]["duration_ms"]) == ("audio", 4_200)
    still = await ana.upload(picture(), "image/jpeg")
    sent = await send_file(ana, chat, still["id"], "two", duration_ms=4_200)
    assert sent["media"]["duration_ms"] is None


async def test_an_owner_sets_and_removes_the_group_picture_with_their_own_uploads(world, ana, ben):
    async def set_picture(upload_id: str | None):
        there = {"conversation_id": group["id"], "upload_id": upload_id}
        return await ana.person.call("/chat", "set_picture", **there)

    group = await ana.person.call("/chat", "create_group", name="G", member_ids=[ben.id])
    first, second = [(await ana.upload(picture(), "image/jpeg"))["id"] for _ in range(2)]
    assert (await set_picture(first))["picture_id"] == first
    heard = await ben.event("CONVERSATION_CHANGED")
    assert heard.data["message"]["card"]["kind"] == "picture_changed"
    address = f"{world.url}/pictures/{first}"
    assert (await ana.fetch(address))[0].status == 200
    assert (await set_picture(second))["picture_id"] == second

    async def gone() -> bool:
        return (await ana.fetch(address))[0].status == 404

    await until(gone)
    async with uploader(world, ben) as other:
        theirs = (await other.upload(picture(), "image/jpeg"))["id"]
    with pytest.raises(Refused, match="NOT_FOUND"):
        await set_picture(theirs)
    assert (await set_picture(None))["picture_id"] is None
