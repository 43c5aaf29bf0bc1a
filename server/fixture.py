"""Creates many users, tokens and conversations for load tests."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec

from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.chat import public as chats
from handlers.platform.profile import public as profiles
from server.app import App

BATCH_SIZE = 200


async def make_fixture(app: App, users: int, conversations: int, out: Path) -> str:
    """User i joins conversation i mod `conversations`; `out` gets one line for each user."""
    context = app.context()
    made: list[tuple[str, str]] = []
    for first in range(0, users, BATCH_SIZE):
        numbers = range(first, min(first + BATCH_SIZE, users))
        made += await context.transact(make_users, list(numbers))
    ids = [user_id for user_id, _ in made]
    conversation_ids = [
        await context.transact(chats.make_group, f"Load {number}", ids[number::conversations])
        for number in range(min(conversations, users))
    ]
    await asyncio.to_thread(out.write_text, "".join(lines(made, conversation_ids)))
    return f"{users} users in {len(conversation_ids)} conversations: {out}"


def make_users(tx: Transaction, numbers: list[int]) -> list[tuple[str, str]]:
    """Create users with these numbers; returns `(user id, access token)` for each."""
    made = []
    for number in numbers:
        user = profiles.create_user(tx, f"load-{tx.new_id()}@example.org", "Load", str(number))
        assert user is not None  # the address is fresh
        made.append((user.id, accounts.open_session(tx, user.id).access_token))
    return made


def lines(made: list[tuple[str, str]], conversation_ids: list[str]) -> Iterator[str]:
    for number, (_, token) in enumerate(made):
        auth = msgspec.json.encode({"token": token}).decode()
        yield f"{auth}\t{conversation_ids[number % len(conversation_ids)]}\n"
