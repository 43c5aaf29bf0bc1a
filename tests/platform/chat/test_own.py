"""A user's private state of a conversation: muted, archived, drafts and hidden messages."""

import pytest

from tests.platform.chat.scenes import refused, say, talk, texts
from tests.world import Person, World


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/chat")


@pytest.fixture
async def ben(world: World) -> Person:
    return await (await world.person("ben")).enter("/chat")


async def private_states(person: Person, **page):
    """`(id, muted until, archived, draft)` of each listed conversation."""
    listed = (await person.call("/chat", "list", **page))["conversations"]
    return [(one["id"], one["muted_until"], one["archived"], one["draft"]) for one in listed]


async def test_mute_and_draft_reach_the_users_own_devices_and_no_one_else(ana, ben):
    chat = await talk(ana, ben)
    there = {"conversation_id": chat}
    phone = await (await ana.device()).enter("/chat")
    until = "2031-01-01T00:00:00Z"
    await ana.call("/chat", "mute", **there, until=until)
    state = await ana.call("/chat", "draft", **there, text="I have be")
    assert state == {**there, "muted_until": until, "archived": False, "draft": "I have be"}
    await phone.until(lambda: len(phone.events("CONVERSATION_ADJUSTED")) == 2)
    assert phone.events("CONVERSATION_ADJUSTED")[-1].data == {"user_id": ana.id, "state": state}
    assert await private_states(ana) == [(chat, until, False, "I have be")]
    assert await private_states(ben) == [(chat, None, False, "")]
    assert ben.events("CONVERSATION_ADJUSTED") == []
    await ana.call("/chat", "mute", **there)
    await ana.call("/chat", "draft", **there)
    assert await private_states(ana) == [(chat, None, False, "")]


@pytest.mark.parametrize("draft", ["See you at 5", "See you", " See you at 5\n"])
async def test_sending_clears_the_draft_of_the_message_on_every_device(world, ana, ben, draft):
    chat = await talk(ana, ben)
    phone = await (await ana.device()).enter("/chat")
    await ana.call("/chat", "mute", conversation_id=chat, until="2031-01-01T00:00:00Z")
    await ana.call("/chat", "draft", conversation_id=chat, text=draft)
    await say(ana, chat, "See you at 5")
    await phone.until(lambda: len(phone.events("CONVERSATION_ADJUSTED")) == 3)
    cleared = phone.events("CONVERSATION_ADJUSTED")[-1].data["state"]
    assert (cleared["draft"], cleared["muted_until"]) == ("", "2031-01-01T00:00:00Z")
    assert await private_states(ana) == [(chat, "2031-01-01T00:00:00Z", False, "")]


async def test_sending_keeps_the_draft_of_another_message(world, ana, ben):
    chat = await talk(ana, ben)
    await say(ben, chat, "I have begun")
    await ana.call("/chat", "draft", conversation_id=chat, text="I have begun")
    await say(ana, chat, "Wait!")
    await say(ana, chat, "I have")
    assert await private_states(ana) == [(chat, None, False, "I have begun")]
    assert len(await world.stored("CONVERSATION_ADJUSTED")) == 1


async def test_a_refused_or_repeated_message_keeps_the_draft(ana, ben):
    chat = await talk(ana, ben)
    await say(ana, chat, "Yes", "1")
    await ana.call("/chat", "draft", conversation_id=chat, text="Yes")
    await say(ana, chat, "Yes", "1")
    to = {"conversation_id": chat, "client_id": "2", "text": "Yes", "reply_to": ben.id}
    assert await refused(ana, "send", **to) == "NOT_FOUND"
    assert await private_states(ana) == [(chat, None, False, "Yes")]


async def test_leaving_a_group_deletes_the_draft_in_it(ana, ben, world):
    group = await talk(ben, ana, await world.person("cleo"))
    await ana.call("/chat", "draft", conversation_id=group, text="never sent")
    await ana.call("/chat", "leave", conversation_id=group)
    await ben.call("/chat", "add_member", conversation_id=group, user_id=ana.id)
    assert await private_states(ana) == [(group, None, False, "")]


async def test_a_mute_time_in_any_zone_is_returned_published_and_listed_in_utc(ana, ben):
    chat = await talk(ana, ben)
    local, utc = "2031-01-01T01:00:00+02:00", "2030-12-31T23:00:00Z"
    state = await ana.call("/chat", "mute", conversation_id=chat, until=local)
    event = await ana.event("CONVERSATION_ADJUSTED")
    assert [state["muted_until"], event.data["state"]["muted_until"]] == [utc, utc]
    assert await private_states(ana) == [(chat, utc, False, "")]


async def test_archiving_again_publishes_no_event(world, ana, ben):
    chat = await talk(ana, ben)
    for _ in range(3):
        await ana.call("/chat", "archive", conversation_id=chat)
    assert len(await world.stored("CONVERSATION_ADJUSTED")) == 1


async def test_archived_conversations_are_listed_separately_until_unarchived(ana, ben, world):
    cleo = await world.person("cleo")
    with_ben, with_cleo = await talk(ana, ben), await talk(ana, cleo)
    await ana.call("/chat", "archive", conversation_id=with_ben)
    await say(ben, with_ben, "are you there?")
    assert [one[0] for one in await private_states(ana)] == [with_cleo]
    assert [one[0] for one in await private_states(ana, archived=True)] == [with_ben]
    await ana.event("MESSAGE_SENT")  # archiving does not stop events
    await ana.call("/chat", "archive", conversation_id=with_ben, on=False)
    assert [one[0] for one in await private_states(ana)] == [with_ben, with_cleo]
    assert await private_states(ana, archived=True) == []


async def test_only_members_can_mute_archive_or_draft(world, ana, ben):
    cleo, eve = await world.person("cleo"), await world.person("eve")
    group = await talk(ana, ben, cleo)
    await ben.call("/chat", "leave", conversation_id=group)
    for person in (ben, eve):
        assert await refused(person, "mute", conversation_id=group) == "NOT_FOUND"
        assert await refused(person, "archive", conversation_id=group) == "NOT_FOUND"
        assert await refused(person, "draft", conversation_id=group, text="x") == "NOT_FOUND"
    assert await refused(ana, "draft", conversation_id=group, text="x" * 8_001) == "INVALID"


async def test_delete_for_me_hides_a_message_everywhere_for_that_user_only(ana, ben):
    chat = await talk(ana, ben)
    first = await say(ben, chat, "first")
    last = await say(ben, chat, "last")
    phone = await (await ana.device()).enter("/chat")
    for _ in range(2):
        assert await ana.call("/chat", "delete_for_me", message_id=last["id"]) == {}
    removed = await phone.event("MESSAGE_REMOVED")
    assert removed.data["message_id"] == last["id"]
    assert await texts(ana, chat) == ["first"]
    assert await texts(ben, chat) == ["first", "last"]
    [listed] = (await ana.call("/chat", "list"))["conversations"]
    assert (listed["unread"], listed["last_message"]["id"]) == (1, first["id"])
    for command, more in (("get", {}), ("react", {"emoji": "\U0001f44d"}), ("pin", {})):
        assert await refused(ana, command, message_id=last["id"], **more) == "NOT_FOUND"
    assert ben.events("MESSAGE_REMOVED") == []


async def test_only_readable_messages_can_be_deleted_for_oneself(world, ana, ben):
    cleo, eve = await world.person("cleo"), await world.person("eve")
    group = await talk(ana, ben)
    early = await say(ana, group, "early")
    shared = (await ana.call("/chat", "create_group", name="G", member_ids=[ben.id]))["id"]
    before = await say(ana, shared, "before")
    await ana.call("/chat", "add_member", conversation_id=shared, user_id=cleo.id)
    assert await refused(eve, "delete_for_me", message_id=early["id"]) == "NOT_FOUND"
    assert await refused(cleo, "delete_for_me", message_id=before["id"]) == "NOT_FOUND"


async def test_history_pages_are_full_despite_messages_deleted_for_oneself(ana, ben):
    chat = await talk(ana, ben)
    said = [await say(ben, chat, str(number)) for number in range(6)]
    for message in said[3:5]:
        await ana.call("/chat", "delete_for_me", message_id=message["id"])
    assert await texts(ana, chat, limit=3) == ["1", "2", "5"]
