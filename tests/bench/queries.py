"""How long history, list, replay and search take on tables of any size.

The tables are filled by SQL; the queries are those of the server. Messages are spread evenly over
the conversations. The reader has read all but the last few, and requests one page at a time.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from handlers.kit.context import Context
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.conversations import ListConversations
from handlers.platform.chat.contracts.messages import ReadHistory, Search
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.history import list_conversations, read_history
from handlers.platform.chat.service.search import search
from rooms import names
from rooms.replay import ReplayLimits, Wanted, read_entries
from server.app import App
from server.fixture import make_users
from server.operator import with_app
from storage.platform.chat.search import catch_up
from tests.world import settings_of

CONVERSATIONS = 100
UNREAD = 20
PAGE = 50
CALLS = 100
FILL_AT_ONCE = 100_000
Times = dict[str, dict[int, float]]
"""Milliseconds, by query and number of stored messages."""

# Message i is in the conversation named i mod 100, whose number 1 is its opening.
_FILL = (
    """CREATE TEMPORARY TABLE said (id VARCHAR, conversation_id VARCHAR, seq BIGINT,
        sender_id VARCHAR, client_id VARCHAR, at VARCHAR, text VARCHAR)""",
    """INSERT INTO said
    WITH RECURSIVE number(i) AS (
        SELECT CAST(:first AS BIGINT) UNION ALL SELECT i + 1 FROM number WHERE i + 1 < :last
    )
    SELECT '01900000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS VARCHAR), 2), id,
        i / :conversations + 2, created_by, CAST(i AS VARCHAR), '2026-01-01T00:00:00.000000Z',
        'hello there, this is a chat message of a usual size, about a hundred bytes'
            || CASE WHEN i % 997 = 0 THEN ' seldom' ELSE '' END
    FROM number JOIN conversations ON name = CAST(i % :conversations AS VARCHAR)""",
    """INSERT INTO messages (id, conversation_id, seq, said_seq, sender_id, client_id, kind, text,
        sent_at, deleted)
    SELECT id, conversation_id, seq, seq, sender_id, client_id, 'text', text, at, FALSE
    FROM said""",
    """INSERT INTO events (id, name, version, at, data, sealed, subject, order_key, actor_id)
    SELECT id, 'MESSAGE_SENT', 1, at, '{"text":"' || text || '"}', FALSE, 'message:' || id,
        'message:' || id, sender_id FROM said""",
    """INSERT INTO stream_events (stream, seq, event_id)
    SELECT '/chat|chat:' || conversation_id, seq, id FROM said""",
    "DROP TABLE said",
)
_SETTLE = (
    "UPDATE stream_heads SET seq = :head WHERE stream LIKE '/chat|chat:%'",
    "DELETE FROM marks",
    """INSERT INTO marks (conversation_id, user_id, kind, seq, told_seq)
    SELECT id, :reader, 'read', :read, :read FROM conversations""",
)


@dataclass(frozen=True)
class Population:
    """The reader and the conversations; `head` is the last number of each."""

    reader: str
    conversations: list[str]
    head: int = 1


Call = Callable[[Context, Population, random.Random], Awaitable[None]]


def _populate(tx: Transaction) -> Population:
    (reader, _), (writer, _) = make_users(tx, [0, 1])
    made = [chats.make_group(tx, str(n), [writer, reader]) for n in range(CONVERSATIONS)]
    return Population(reader, made)


async def _fill(url: str, people: Population, first: int, last: int) -> Population:
    """Add the messages from `first` to before `last` directly to the tables."""
    head = last // CONVERSATIONS + 1
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
    for begin in range(first, last, FILL_AT_ONCE):
        upto = min(begin + FILL_AT_ONCE, last)
        await _run(engine, _FILL, first=begin, last=upto, conversations=CONVERSATIONS)
    await _run(engine, _SETTLE, head=head, read=max(head - UNREAD, 0), reader=people.reader)
    await engine.dispose()
    return Population(people.reader, people.conversations, head)


async def _analyze(url: str) -> None:
    """Let PostgreSQL count its rows, as autovacuum does."""
    if url.startswith("postgresql"):
        engine = create_async_engine(url)
        await _run(engine, ("ANALYZE",))
        await engine.dispose()


async def _run(engine: AsyncEngine, statements: tuple[str, ...], **values: object) -> None:
    """Run the statements in one transaction, each with the `values` that it uses."""
    async with engine.begin() as connection:
        for statement in map(text, statements):
            named = statement.compile().params
            await connection.execute(statement, {name: values[name] for name in named})


async def _history(context: Context, people: Population, chance: random.Random) -> None:
    """Read a page from anywhere in a conversation."""
    before = chance.randint(min(PAGE + 2, people.head), people.head + 1)
    where = chance.choice(people.conversations)
    ask = ReadHistory(conversation_id=where, before_seq=before, limit=PAGE)
    await context.read(read_history, ask)


async def _list(context: Context, people: Population, chance: random.Random) -> None:
    """Read the first page of the reader's conversations, with unread counts and last messages."""
    await context.read(list_conversations, ListConversations(PAGE))


async def _replay(context: Context, people: Population, chance: random.Random) -> None:
    """Replay the last events of a conversation, as to a client that reconnects."""
    stream = names.stream("/chat", chat_room(chance.choice(people.conversations)))
    wanted = [Wanted(stream, since=max(people.head - PAGE, 0))]
    await context.kernel.database.read(partial(read_entries, wanted=wanted, limits=ReplayLimits()))


async def _search_usual(context: Context, people: Population, chance: random.Random) -> None:
    """Search for two words that are in every message."""
    await context.read(search, Search(text="message usu"))


async def _search_seldom(context: Context, people: Population, chance: random.Random) -> None:
    """Search for a word that is in one of a thousand messages."""
    await context.read(search, Search(text="seldom"))


QUERIES: dict[str, Call] = {
    "history": _history,
    "list": _list,
    "replay": _replay,
    "search, usual words": _search_usual,
    "search, a seldom word": _search_seldom,
}


async def _time(call: Call, app: App, people: Population) -> float:
    """The median duration of many calls, in milliseconds."""
    context = Context(app.kernel, Actor(people.reader, "", frozenset()))
    chance = random.Random(1)  # noqa: S311 - the same pages each time
    took_s = []
    for _ in range(CALLS):
        began = perf_counter()
        await call(context, people, chance)
        took_s.append(perf_counter() - began)
    return median(took_s) * 1_000


async def measure_queries(url: str, folder: Path, sizes: tuple[int, ...]) -> Times:
    """Fill the database up to each of `sizes` messages, and time the queries at each size."""

    async def run(app: App) -> Times:
        people = await app.context().transact(_populate)
        told: Times = {query: {} for query in QUERIES}
        stored = 0
        for size in sizes:
            people = await _fill(url, people, stored, size)
            while await app.context().transact(catch_up):
                pass
            await _analyze(url)
            stored = size
            for query, call in QUERIES.items():
                told[query][size] = await _time(call, app, people)
        return told

    return await with_app(settings_of(folder, url), run)
