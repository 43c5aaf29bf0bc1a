"""Link previews: shown to users who can read the message, for as long as it has the link."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import LinkPreview
from handlers.platform.moderation.filter import Filter
from handlers.platform.moderation.words import WordList
from handlers.platform.previews.rules import PreviewRules
from storage.events.deliveries import deliveries
from storage.platform.previews import link_counts, link_pages
from tests.parts.web import LOOPBACK, Web, page, said
from tests.platform.chat.scenes import rows_with, say, talk
from tests.world import Person, World, both_databases, until

DAY_S = 86_400


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


def serve_page(web: Web, path: str = "/", title: str = "A page") -> dict:
    """Serve a page, and return the preview of a link to it."""
    web.pages[path] = said(page(title, description="What it is about", site_name="The site"))
    return {
        "url": web.url(path),
        "title": title,
        "description": "What it is about",
        "site_name": "The site",
    }


def serve_held_page(web: Web, path: str = "/", title: str = "A page") -> asyncio.Event:
    """Serve a page that is sent once the returned event is set."""
    released = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        await released.wait()
        yield said(page(title))

    web.pages[path] = held
    return released


async def previews_in_history(person: Person, chat: str) -> list:
    """The previews of the messages in the history that a person sees."""
    history = await person.call("/chat", "history", conversation_id=chat)
    return [one["preview"] for one in history["messages"] if one["kind"] != "system"]


async def count_rows(world: World, table) -> int:
    return await world.read(lambda tx: tx.scalar(select(func.count()).select_from(table)))


async def stored_previews(world: World) -> list:
    return [one["preview"] for one in await world.stored("MESSAGE_PREVIEWED")]


async def test_the_first_link_of_a_message_gets_a_preview_for_all_members(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    preview = serve_page(web, "/a")
    serve_page(web, "/b")
    sent = await say(ana, chat, f"Look: {web.url('/a')} and {web.url('/b')}", "c1")
    assert sent["preview"] is None
    received = [await one.event("MESSAGE_PREVIEWED") for one in (ana, ben)]
    assert [one.data for one in received] == [
        {"conversation_id": chat, "message_id": sent["id"], "preview": preview}
    ] * 2
    assert len(web.asked) == 1
    assert await previews_in_history(ben, chat) == [preview]
    assert (await ben.call("/chat", "get", message_id=sent["id"]))["preview"] == preview
    listed = await ben.call("/chat", "list")
    assert listed["conversations"][0]["last_message"]["preview"] == preview
    late = await (await ben.device()).enter("/chat", since={f"chat:{chat}": 1})
    assert (await late.event("MESSAGE_PREVIEWED")).data == received[0].data


async def test_a_page_with_filtered_words_gets_no_preview(world, web, people):
    world.app.kernel.filter = Filter(WordList(["refuse: rotten", "flag: fishy"]))
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for path, more in {
        "/title": {"title": "So r0tten"},
        "/about": {"title": "A page", "description": "a fishy one"},
        "/site": {"title": "A page", "site_name": "ROTTEN"},
    }.items():
        web.pages[path] = said(page(**more))
        await say(ana, chat, web.url(path), path)
        await world.settle()
    assert (len(web.asked), await stored_previews(world)) == (3, [])
    fine = serve_page(web, "/fine")
    await say(ana, chat, web.url("/fine"), "fine")
    assert (await ben.event("MESSAGE_PREVIEWED")).data["preview"] == fine
    assert await previews_in_history(ben, chat) == [None, None, None, fine]


async def test_with_previews_turned_off_nothing_is_fetched_or_stored(make_world, web):
    world = await make_world()
    world.app.kernel.pages = web.client()
    ana, ben = await world.person("ana"), await world.person("ben")
    chat = await talk(ana, ben)
    serve_page(web)
    sent = await say(ana, chat, web.url(), "c1")
    assert world.app.kernel.rules.of(PreviewRules).link_previews is False
    consumers = await world.read(lambda tx: tx.scalars(select(deliveries.c.consumer)))
    assert not [one for one in consumers if one.startswith("platform.previews.")]
    await ana.call("/chat", "edit", message_id=sent["id"], text=web.url() + "?x")
    await world.settle()
    assert (web.connections, await stored_previews(world)) == (0, [])
    assert [await count_rows(world, one) for one in (link_pages, link_counts)] == [0, 0]


async def test_pending_previews_are_dropped_after_previews_are_turned_off(
    make_world, world, web, people
):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    serve_page(web)
    world.app.relay.serve = lambda queue: None
    await say(ana, chat, web.url(), "c1")
    left = await world.read(lambda tx: tx.scalars(select(deliveries.c.consumer)))
    assert "platform.previews.look_up_the_link" in left
    await world.stop()
    off = await make_world()
    off.app.kernel.pages = web.client()
    await off.settle()
    assert await count_rows(off, deliveries) == 0
    assert (web.connections, await stored_previews(off)) == (0, [])


async def test_a_message_without_an_https_link_creates_no_delivery(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    world.app.relay.serve = lambda queue: None
    await say(ana, chat, f"http://page.example:{web.port}/ is not https", "c1")
    consumers = await world.read(lambda tx: tx.scalars(select(deliveries.c.consumer)))
    assert not [one for one in consumers if one.startswith("platform.previews.")]


async def test_deleting_a_message_erases_its_preview(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    serve_page(web, title="zanzibar")
    sent = await say(ana, chat, web.url(), "c1")
    await ben.event("MESSAGE_PREVIEWED")
    assert set(await rows_with(world, "zanzibar")) == {"messages", "events", "link_pages"}
    deleted = await ana.call("/chat", "delete", message_id=sent["id"])
    assert deleted["preview"] is None
    await world.settle()
    assert await rows_with(world, "zanzibar") == []
    assert await rows_with(world, f"example:{web.port}") == []
    back = await (await ben.device()).enter("/chat", since={f"chat:{chat}": 0})
    received = await back.event("MESSAGE_PREVIEWED")
    assert received.data == {"conversation_id": chat, "message_id": sent["id"], "preview": None}


async def test_removing_the_link_erases_its_preview(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    serve_page(web, title="zanzibar")
    other = serve_page(web, "/other")
    sent = await say(ana, chat, web.url(), "c1")
    await ben.event("MESSAGE_PREVIEWED")
    edited = await ana.call("/chat", "edit", message_id=sent["id"], text="no link")
    assert edited["preview"] is None
    await world.settle()
    assert await rows_with(world, "zanzibar") == []
    assert await previews_in_history(ben, chat) == [None]
    await ana.call("/chat", "edit", message_id=sent["id"], text=web.url("/other"))
    await ben.event("MESSAGE_PREVIEWED", lambda data: data["preview"] == other)
    assert await previews_in_history(ben, chat) == [other]


async def test_an_edit_that_keeps_the_link_does_not_fetch_again(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    preview = serve_page(web)
    sent = await say(ana, chat, web.url(), "c1")
    await ben.event("MESSAGE_PREVIEWED")
    await ana.call("/chat", "edit", message_id=sent["id"], text=f"See {web.url()}")
    await world.settle()
    assert await previews_in_history(ben, chat) == [preview]
    assert await stored_previews(world) == [None, preview]
    assert len(web.asked) == 1


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_a_message_changed_during_the_fetch_gets_no_preview(world, web, people, change):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    released = serve_held_page(web, title="zanzibar")
    sent = await say(ana, chat, web.url(), "c1")
    await until(lambda: web.asked)
    text = {"text": "no link"} if change == "edit" else {}
    await ana.call("/chat", change, message_id=sent["id"], **text)
    released.set()
    await world.settle()
    assert (await stored_previews(world), await previews_in_history(ben, chat)) == ([], [None])
    assert await rows_with(world, "zanzibar") == []


async def test_a_member_added_during_the_fetch_gets_no_preview_of_older_messages(
    world, web, people
):
    ana, ben, cleo = people
    group = (await ana.call("/chat", "create_group", name="G", member_ids=[ben.id]))["id"]
    released = serve_held_page(web)
    await say(ana, group, web.url(), "c1")
    await until(lambda: web.asked)
    await ana.call("/chat", "add_member", conversation_id=group, user_id=cleo.id)
    released.set()
    await world.settle()
    await say(ana, group, "after", "c2")
    await cleo.event("MESSAGE_SENT")
    assert cleo.events("MESSAGE_PREVIEWED") == []
    assert await stored_previews(world) == []


@both_databases
async def test_a_member_added_concurrently_gets_no_preview_of_older_messages(world, web, people):
    """The preview is published before the new member joins, or not at all."""
    ana, ben, cleo = people
    message_ids = {}
    for number in range(12):
        named = {"name": str(number), "member_ids": [ben.id]}
        group = (await ana.call("/chat", "create_group", **named))["id"]
        message_ids[group] = (await say(ana, group, web.url(), "c1"))["id"]
    await world.settle()

    def show(tx, message_id: str) -> None:
        message = chats.lock_text(tx, message_id)
        chats.show_preview(tx, message, LinkPreview(web.url(), "A page", None, None))

    devices = [await (await ana.device()).enter("/chat") for _ in message_ids]
    await asyncio.gather(
        *[world.transact(show, message_id) for message_id in message_ids.values()],
        *[
            device.call("/chat", "add_member", conversation_id=group, user_id=cleo.id)
            for device, group in zip(devices, message_ids, strict=True)
        ],
    )
    await world.settle()
    for group in message_ids:
        await say(ana, group, "after", "c2")
        await cleo.event(
            "MESSAGE_SENT", lambda data, g=group: data["message"]["conversation_id"] == g
        )
    assert cleo.events("MESSAGE_PREVIEWED") == []


async def test_a_removed_member_sees_no_previews_published_after_leaving(world, web, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    there = {"conversation_id": group, "user_id": cleo.id}
    preview = serve_page(web)
    released = serve_held_page(web, "/held")
    await say(ana, group, web.url(), "before")
    await cleo.event("MESSAGE_PREVIEWED")
    await say(ana, group, web.url("/held"), "told after Cleo went")
    changed = await say(ana, group, "is changed while Cleo is out")
    await until(lambda: len(web.asked) == 2)
    await ana.call("/chat", "remove_member", **there)
    released.set()
    await ana.call("/chat", "edit", message_id=changed["id"], text=web.url())
    await say(ana, group, web.url(), "while Cleo is out")
    await world.settle()
    assert len(cleo.events("MESSAGE_PREVIEWED")) == 1
    assert await previews_in_history(cleo, group) == [None, None, None]
    await ana.call("/chat", "add_member", **there)
    held = preview | {"url": web.url("/held"), "description": None, "site_name": None}
    assert await previews_in_history(cleo, group) == [preview, held, None]
    assert await previews_in_history(ben, group) == [preview, held, preview, preview]


async def test_a_url_is_fetched_once_a_day(world, web, people):
    ana, ben, cleo = people
    chat, other = await talk(ana, ben), await talk(cleo, ben)
    preview = serve_page(web)
    for one, where in ((ana, chat), (cleo, other)):
        await say(one, where, web.url(), "c1")
        await world.settle()
    assert (await previews_in_history(ben, chat), await previews_in_history(ben, other)) == (
        [preview],
        [preview],
    )
    assert len(web.asked) == 1
    world.clock.advance(DAY_S + 1)
    await say(ana, chat, web.url(), "c2")
    await world.settle()
    assert len(web.asked) == 2


async def test_a_failed_fetch_is_not_repeated_for_ten_minutes(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    await say(ana, chat, web.url(), "c1")
    await world.settle()
    preview = serve_page(web)
    await say(ana, chat, web.url(), "c2")
    await world.settle()
    assert (len(web.asked), await previews_in_history(ben, chat)) == (1, [None, None])
    world.clock.advance(timedelta(minutes=11).total_seconds())
    await say(ana, chat, web.url(), "c3")
    await world.settle()
    assert await previews_in_history(ben, chat) == [None, None, preview]


@pytest.mark.settings(PARLEY_PREVIEWS_PER_MINUTE="3")
async def test_fetches_per_person_and_conversation_are_rate_limited(world, web, people):
    ana, ben, cleo = people
    chat, other = await talk(ana, ben), await talk(ana, cleo)

    async def link(sender: Person, where: str, number: int) -> None:
        serve_page(web, f"/{number}")
        await say(sender, where, web.url(f"/{number}"), f"c{number}")
        await world.settle()

    for number in range(5):
        await link(ana, chat, number)
    assert len(web.asked) == 3
    await link(ben, chat, 5)  # the conversation is at its limit
    await link(ana, other, 6)  # and so is Ana
    assert len(web.asked) == 3
    await link(cleo, other, 7)
    assert len(web.asked) == 4
    world.clock.advance(61)
    await link(ana, chat, 8)
    assert len(web.asked) == 5
    assert [one is not None for one in await previews_in_history(ben, chat)] == [True] * 3 + [
        False
    ] * 3 + [True]


async def test_failed_fetches_leave_no_preview_and_no_delivery(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    web.names |= {"inside.example": ["10.0.0.1"], "both.example": ["93.184.215.14", "10.0.0.1"]}
    web.names |= {"wrong.test": [LOOPBACK]}
    web.pages["/redirect"] = said(b"", status="302 Found", headers="Location: /\r\n")
    web.pages["/picture"] = said(b"x", content_type="image/png")
    web.pages["/garbage"] = b"\x00" * 100
    urls = [web.url(path) for path in ("/redirect", "/picture", "/garbage", "/none")]
    urls += [web.url(host=host) for host in ("inside.example", "both.example", "wrong.test")]
    for number, url in enumerate(urls):
        await say(ana, chat, url, f"c{number}")
        await world.settle()
    assert (await previews_in_history(ben, chat), await stored_previews(world)) == (
        [None] * len(urls),
        [],
    )
    assert await count_rows(world, deliveries) == 0
    assert len(web.asked) == 4


async def test_fetched_pages_are_deleted_after_a_day_and_previews_stay(world, web, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    preview = serve_page(web)
    await say(ana, chat, web.url(), "c1")
    await world.settle()
    await world.app.housekeeping.tidy()
    assert await count_rows(world, link_pages) == 1
    assert await count_rows(world, link_counts) == 2
    world.clock.advance(DAY_S + 1)
    await world.settle()
    await world.app.housekeeping.tidy()
    assert [await count_rows(world, one) for one in (link_pages, link_counts)] == [0, 0]
    assert await previews_in_history(ben, chat) == [preview]


async def test_the_number_of_stored_pages_is_limited(world, web, people, monkeypatch):
    monkeypatch.setattr("storage.platform.previews.PLACES", 2)
    ana, ben, _ = people
    chat = await talk(ana, ben)
    previews = []
    for number in range(8):
        previews.append(serve_page(web, f"/{number}"))
        await say(ana, chat, web.url(f"/{number}"), f"c{number}")
        await world.settle()
    assert await count_rows(world, link_pages) <= 2
    assert await previews_in_history(ben, chat) == previews
