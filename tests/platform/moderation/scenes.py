"""Flagged messages, and moderators."""

from typing import Any

from tests.platform.chat.scenes import say, talk
from tests.wire_client import Refused
from tests.world import Person, World


async def moderator(world: World, name: str) -> Person:
    """A moderator who is connected to the moderators' room."""
    return await (await world.person(name, "moderator")).enter("/moderation")


async def group_of(world: World, *names: str) -> tuple[str, list[Person]]:
    """A group of these people, created by the first."""
    people = [await world.person(name) for name in names]
    for one in people:
        await one.enter("/chat", "/moderation")
    return await talk(*people), people


async def flag(person: Person, message_id: str, reason: str = "spam", note: str = "") -> Any:
    return await person.call("/moderation", "flag", message_id=message_id, reason=reason, note=note)


async def flagged(world: World, text: str = "rotten", **more: Any) -> tuple[Any, Any, list[Person]]:
    """`(case, message, people)`: the first person sent the message, the second flagged it."""
    group, people = await group_of(world, "ana", "ben", "cleo", "dan", "eva")
    message = await say(people[0], group, text)
    await flag(people[1], message["id"], **more)
    (opened,) = [data["case"] for data in await world.stored("CASE_OPENED")]
    return opened, message, people


async def decide(person: Person, case: Any, decision: str, **more: Any) -> Any:
    payload = {"case_id": case["id"], "version": case["version"], **more}
    return await person.call("/moderation", "decide", decision=decision, **payload)


async def undo(person: Person, case: Any, **more: Any) -> Any:
    payload = {"case_id": case["id"], "version": case["version"], **more}
    return await person.call("/moderation", "undo", **payload)


async def get_message(person: Person, message_id: str) -> Any:
    return await person.call("/chat", "get", message_id=message_id)


async def code_of(person: Person, namespace: str, command: str, **payload: Any) -> str | None:
    """The code of the refusal, or None if the command succeeds."""
    try:
        await person.call(namespace, command, **payload)
    except Refused as refused:
        return refused.code
    return None
